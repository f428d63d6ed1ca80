/** How keys are used, for times to live that go by it. */
import type * as Duration from "effect/Duration"
import type { Access } from "../../CachePolicy.js"
import * as Check from "../options.js"

type DurationInput = Duration.DurationInput

/** On a time to live function that goes by a key's use, and so needs it counted. */
const mark = "~effect-larder/CachePolicy/access"

export const wantsAccess = (value: unknown): boolean => typeof value === "function" && mark in value

/** The bounds of an `adaptive` time to live are checked with the other options, so it has to show them. */
const bounds = "~effect-larder/CachePolicy/adaptive"

export interface AdaptiveOptions {
  readonly min: DurationInput
  readonly max: DurationInput
  readonly from?: ((access: Access) => DurationInput) | undefined
}

export const adaptive = (options: AdaptiveOptions) => {
  const { from, max, min } = options
  const timeToLive = (_value: unknown, _key: unknown, access: Access): DurationInput => {
    const least = Check.millisOf(min)
    const wanted = from === undefined ? least * (access.hits + 1) : Check.durationOf(from(access))
    return Math.min(Check.millisOf(max), Math.max(least, wanted))
  }
  return Object.assign(timeToLive, { [mark]: true, [bounds]: options })
}

/** What is wrong with the bounds of an `adaptive` time to live, if that is what it is. */
export const adaptiveIssue: Check.Check = (value) => {
  const options = (value as { readonly [bounds]?: AdaptiveOptions })[bounds]
  if (options === undefined) return undefined
  for (const name of ["min", "max"] as const) {
    const issue = Check.duration(options[name])
    if (issue !== undefined) return { reason: `${name} ${issue.reason}`, hint: issue.hint }
  }
  return Check.millisOf(options.min) <= Check.millisOf(options.max)
    ? undefined
    : { reason: "min must not be above max", hint: "exchange the bounds" }
}

/** At most so many keys are remembered; those that were loaded longest ago are forgotten first. */
export const maxAccesses = 10_000

interface Use {
  hits: number
  loads: number
  loadedAt: number
}

export class Accesses {
  private readonly uses = new Map<string, Use>()

  hit(id: string): void {
    const use = this.uses.get(id)
    if (use !== undefined) use.hits++
  }

  /** Answers how the key was used until now, and begins to count anew. */
  loaded(id: string, startedAt: number): Access {
    const use = this.uses.get(id)
    const access: Access = {
      hits: use?.hits ?? 0,
      loads: (use?.loads ?? 0) + 1,
      sinceLoad: use === undefined ? 0 : Math.max(0, startedAt - use.loadedAt)
    }
    // re-inserted, so that the first is always the one that was loaded longest ago
    this.uses.delete(id)
    this.uses.set(id, { hits: 0, loads: access.loads, loadedAt: startedAt })
    if (this.uses.size > maxAccesses) this.uses.delete(this.uses.keys().next().value!)
    return access
  }
}

/** What is said of a key whose use is not counted. */
export const unknown: Access = { hits: 0, loads: 1, sinceLoad: 0 }
