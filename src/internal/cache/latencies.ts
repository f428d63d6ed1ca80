/**
 * How long loads took: a histogram whose buckets grow by an eighth of a power of two, so that a percentile is off by 9 %
 * at most, from a millisecond to half a day, in 2 KiB.
 */
const perOctave = 8
const octaves = 26
const size = perOctave * octaves + 2

/** Below a millisecond there is one bucket, and one beyond the last. */
const bucketOf = (millis: number): number =>
  millis < 1 ? 0 : Math.min(size - 1, 1 + Math.floor(Math.log2(millis) * perOctave))

/** The milliseconds that none in the bucket took. */
const upperBound = (bucket: number): number => (bucket === size - 1 ? Infinity : 2 ** (bucket / perOctave))

export class Latencies {
  private readonly counts = new Float64Array(size)

  add(millis: number): void {
    this.counts[bucketOf(millis)]!++
  }

  /** The buckets that are not empty, each with its upper bound in milliseconds. */
  get buckets(): ReadonlyArray<readonly [below: number, count: number]> {
    const filled: Array<readonly [number, number]> = []
    this.counts.forEach((count, bucket) => {
      if (count > 0) filled.push([upperBound(bucket), count])
    })
    return filled
  }
}
