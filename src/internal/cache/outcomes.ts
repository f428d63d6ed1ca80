/** Makes the answers to gets: each is counted once, and those that are worth telling are told. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as CacheEntry from "../../CacheEntry.js"
import * as CacheError from "../../CacheError.js"
import type { How } from "../../observe/internal/recorder.js"
import { toldKey } from "../tracing.js"
import type { Counters } from "./counters.js"
import type { Landing } from "./flight.js"
import type { Answer, Definition, Outcome } from "./model.js"
import type { Settings } from "./settings.js"

const hows: Record<Landing<unknown, unknown>["how"], readonly [owner: Outcome, joiner: Outcome]> = {
  fresh: ["fresh", "fresh"],
  stale: ["stale", "stale"],
  loaded: ["loaded", "joined"],
  failsafe: ["failsafe", "failsafe"],
  failed: ["failed", "failed"]
}

const seen: Partial<Record<Outcome, How>> = { fresh: "hit", stale: "hit", loaded: "loaded" }

const told = { fresh: "Hit", stale: "StaleServed", failsafe: "FailsafeServed" } as const

export class Outcomes<K, A, E, R> {
  constructor(
    private readonly definition: Definition<K, A, E, R>,
    private readonly counters: Counters
  ) {}

  /** What was found and may be served. */
  serve(id: string, entry: CacheEntry.CacheEntry<A, E>, now: number, tier: number): Answer<A, E> {
    const outcome = now < entry.freshUntil ? "fresh" : "stale"
    this.count(id, outcome, entry)
    return { exit: entry.exit, outcome, entry, tier }
  }

  /** What a flight, or a load that needed none, has brought. */
  land(id: string, { entry, exit, how, tier }: Landing<A, E>, owner: boolean): Answer<A, E> {
    const outcome = hows[how][owner ? 0 : 1]
    this.count(id, outcome, entry)
    return { exit, outcome, entry, tier }
  }

  /** The wait is over, the flight is not. */
  giveUp(id: string, stale: CacheEntry.CacheEntry<A, E> | undefined, { typedWait, waitFresh }: Settings): Answer<A, E> {
    if (stale !== undefined) {
      this.count(id, "stale", stale)
      return { exit: stale.exit, outcome: "stale", entry: stale, tier: 1 }
    }
    this.counters.failed++
    const error = new CacheError.LoadTimeout({ cache: this.definition.name, limit: "waitFresh", millis: waitFresh })
    // in `E` where the program set the limit, see `Settings`
    const exit = typedWait ? Exit.fail(error as E & CacheError.LoadTimeout) : Exit.die(error)
    return { exit, outcome: "failed", entry: undefined, tier: undefined }
  }

  fail(exit: Exit.Exit<never, E>): Effect.Effect<never, E> {
    return Effect.suspend(() => {
      this.counters.failed++
      return exit
    })
  }

  private count(id: string, outcome: Outcome, entry: CacheEntry.CacheEntry<A, E> | undefined): void {
    this.counters[outcome]++
    this.definition.recorder?.get(id, seen[outcome] ?? "other")
    if (outcome === "fresh" || outcome === "stale") this.counters.savedMillis += entry?.loadMillis ?? 0
    const { events, name } = this.definition
    if (!events.isHeard || (outcome !== "stale" && outcome !== "failsafe" && (outcome !== "fresh" || !events.hits)))
      return
    events.publish({ _tag: told[outcome], cache: name, keyHash: toldKey(events, id), createdAt: entry?.createdAt ?? 0 })
  }
}
