/**
 * The one way in which everything here is timed.
 *
 * Subjects take turns, round by round, and what is compared is the two times of the *same* round: whatever else the
 * machine does in a round (another process, a slower clock rate, a garbage collection) then weighs on both. The order
 * within a round is turned about every time, so that none always runs in the wake of the same other.
 */

/** Something to be timed. */
export interface Subject {
  readonly name: string
  /** Performs the operation `times` times. Anything but the operation and a loop does not belong in here. */
  readonly run: (times: number) => void | Promise<void>
  /** Operations in one round of this subject, where one round does not cost all subjects the same. */
  readonly batch?: number | undefined
}

export interface Options {
  /** Rounds that are run and thrown away, until the code is compiled and the caches are warm. */
  readonly warmup: number
  readonly rounds: number
  /** Operations in one round. With 1 the percentiles are those of single operations. */
  readonly batch: number
  /** A clock in nanoseconds that never goes back. */
  readonly now?: () => number
}

/** Nanoseconds per operation, one number a round, in the order of the rounds. */
export interface Sample {
  readonly name: string
  readonly batch: number
  readonly nanos: ReadonlyArray<number>
}

const monotonic = (): number => Number(process.hrtime.bigint())

/** The subjects in the order of a round: each round starts one further on, every other goes backwards. */
const turn = (count: number, round: number): ReadonlyArray<number> => {
  const order = Array.from({ length: count }, (_, index) => (index + round) % count)
  return round % 2 === 0 ? order : order.reverse()
}

export const measure = async (
  subjects: ReadonlyArray<Subject>,
  { batch, now = monotonic, rounds, warmup }: Options
): Promise<ReadonlyArray<Sample>> => {
  const samples = subjects.map((subject) => ({
    name: subject.name,
    batch: subject.batch ?? batch,
    nanos: Array<number>()
  }))
  const once = async (index: number): Promise<number> => {
    const times = samples[index]!.batch
    const start = now()
    const running = subjects[index]!.run(times)
    if (running !== undefined) await running
    return (now() - start) / times
  }
  for (let round = 0; round < warmup; round++) {
    for (const index of turn(subjects.length, round)) await once(index)
  }
  globalThis.gc?.()
  for (let round = 0; round < rounds; round++) {
    for (const index of turn(subjects.length, round)) samples[index]!.nanos.push(await once(index))
  }
  return samples
}

/** The value below which this part of all values lies, interpolated between the two nearest; NaN of none. */
export const quantile = (values: ReadonlyArray<number>, part: number): number => {
  const sorted = [...values].sort((a, b) => a - b)
  const place = part * (sorted.length - 1)
  const below = sorted[Math.floor(place)] ?? NaN
  const above = sorted[Math.ceil(place)] ?? NaN
  return below + (above - below) * (place - Math.floor(place))
}

const percents = [1, 5, 25, 50, 75, 90, 95, 99, 100] as const

export type Percentiles = Readonly<Record<`p${(typeof percents)[number]}`, number>>

export const percentiles = (values: ReadonlyArray<number>): Percentiles =>
  // the names are made of the list that the type is made of
  Object.fromEntries(percents.map((percent) => [`p${percent}`, quantile(values, percent / 100)])) as Percentiles

const bucketsPerOctave = 8

/**
 * How often values of which size were seen: pairs of a bucket's upper bound and its count, ascending, empty ones left
 * out. A bucket is about 9 % wide, so that files stay small and no percentile read off it is further off than that.
 */
export const histogram = (values: ReadonlyArray<number>): ReadonlyArray<readonly [upTo: number, count: number]> => {
  const counts = new Map<number, number>()
  for (const value of values) {
    const bucket = value <= 0 ? 0 : Math.ceil(Math.log2(value) * bucketsPerOctave)
    counts.set(bucket, (counts.get(bucket) ?? 0) + 1)
  }
  return [...counts].sort(([a], [b]) => a - b).map(([bucket, count]) => [2 ** (bucket / bucketsPerOctave), count])
}

/** Two samples of one measurement, put together round by round. */
export const pairwise = (a: Sample, b: Sample, combine: (a: number, b: number) => number): ReadonlyArray<number> => {
  if (a.nanos.length !== b.nanos.length) throw new RangeError(`${a.name} and ${b.name} were not measured together`)
  return a.nanos.map((value, round) => combine(value, b.nanos[round]!))
}

/** What `a` cost, for each time that `b` cost. */
export const ratios = (a: Sample, b: Sample): ReadonlyArray<number> => pairwise(a, b, (x, y) => x / y)
