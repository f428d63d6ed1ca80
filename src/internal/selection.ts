/**
 * Which of several stores a value had best go to. Pure: what must be so filters, what had better be so ranks, and every
 * step is told.
 */

/** What is asked. */
export interface Profile {
  /** How large the values are as bytes. */
  readonly bytes?: number | undefined
  /** Whether they are kept by reference, for want of a Schema, or as bytes. */
  readonly kind?: "reference" | "bytes" | undefined
  /** Milliseconds that they live. */
  readonly lifetime?: number | undefined
  /** What is done with them most. */
  readonly access?: "reads" | "writes" | "both" | undefined
  /** Whether they must survive the process. */
  readonly persistent?: boolean | undefined
  /** Whether several processes must see the same. */
  readonly shared?: boolean | undefined
}

/** What is offered. */
export interface Candidate {
  readonly name: string
  readonly capabilities: { readonly live: boolean; readonly persistent: boolean; readonly shared: boolean }
  /** Why it cannot be had, if it cannot. */
  readonly unavailable?: string | undefined
  /** The size up to which it is good, in bytes. Default: any. */
  readonly upTo?: number | undefined
}

/** What came of it. */
export interface Selection {
  /** The name of the best one; `undefined` if none will do. */
  readonly choice: string | undefined
  /** Why this one, the weightiest reason first. */
  readonly reasons: ReadonlyArray<string>
  /** Why not the others: what a candidate lacks, or is worse at. */
  readonly rejected: Readonly<Record<string, string>>
}

/** Values that are over sooner than this, in milliseconds, had better not be written to where they survive the process. */
const short = 60_000

type Nearness = "in this process" | "on this machine" | "on a server"

const nearnessOf = ({ capabilities }: Candidate): Nearness => {
  if (capabilities.shared) return "on a server"
  return capabilities.persistent ? "on this machine" : "in this process"
}

const distance: Readonly<Record<Nearness, number>> = { "in this process": 0, "on this machine": 1, "on a server": 2 }

/** What a candidate lacks that must be. */
const lacks = (profile: Profile, candidate: Candidate): string | undefined => {
  const { capabilities, unavailable } = candidate
  if (unavailable !== undefined) return unavailable
  if (profile.kind === "reference" && !capabilities.live) return "keeps bytes, and the values have no Schema"
  if (profile.persistent === true && !capabilities.persistent) return "does not survive the process"
  return profile.shared === true && !capabilities.shared ? "is this process's alone" : undefined
}

interface Preference {
  /** Better is lower. */
  readonly cost: number
  readonly why: string
}

/** What had better be, the weightiest first. */
const preferences = (profile: Profile, candidate: Candidate): ReadonlyArray<Preference> => {
  const { bytes, lifetime } = profile
  const { upTo = Infinity } = candidate
  const nearness = nearnessOf(candidate)
  const fits = bytes === undefined || bytes <= upTo
  const isShort = lifetime !== undefined && lifetime < short
  const written = candidate.capabilities.persistent ? 1 : 0
  return [
    {
      // of those that are too small for it, the largest
      cost: fits ? 0 : 1 / (1 + upTo),
      why: fits ? `takes ${bytes ?? "any number of"} bytes` : `is meant for at most ${upTo} bytes`
    },
    {
      cost: isShort || profile.access === "writes" ? written : 0,
      why: written === 0 ? "costs little to write" : "writes to where it lasts"
    },
    {
      // what is hardly ever read need not be near
      cost: profile.access === "writes" ? 0 : distance[nearness],
      why: `is ${nearness}`
    }
  ]
}

const worse = (one: ReadonlyArray<Preference>, other: ReadonlyArray<Preference>): Preference | undefined =>
  one.find(
    ({ cost }, index) => cost > other[index]!.cost && one.slice(0, index).every((x, i) => x.cost === other[i]!.cost)
  )

export const select = (profile: Profile, candidates: ReadonlyArray<Candidate>): Selection => {
  const rejected: Record<string, string> = {}
  const possible = candidates.filter((candidate) => {
    const lack = lacks(profile, candidate)
    if (lack !== undefined) rejected[candidate.name] = lack
    return lack === undefined
  })
  const ranked = possible.map((candidate) => ({ candidate, costs: preferences(profile, candidate) }))
  // the first of those that are alike
  const best = ranked.reduce<(typeof ranked)[number] | undefined>(
    (found, one) => (found === undefined || worse(found.costs, one.costs) !== undefined ? one : found),
    undefined
  )
  if (best === undefined) return { choice: undefined, reasons: [], rejected }
  for (const { candidate, costs } of ranked) {
    if (candidate !== best.candidate) rejected[candidate.name] = worse(costs, best.costs)?.why ?? "comes later"
  }
  return { choice: best.candidate.name, reasons: best.costs.map(({ why }) => why), rejected }
}
