/** Why a get of a key would hit or miss. Looks at everything, and changes nothing. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { CacheExplanation, Verdict } from "../../CacheExplanation.js"
import type * as CacheError from "../../CacheError.js"
import type * as CacheStore from "../../CacheStore.js"
import { showTag } from "../groups.js"
import type { Core } from "./core.js"
import type { Settings } from "./settings.js"
import { judge } from "./settings.js"

type Inspection = CacheStore.Inspection<unknown, unknown>

const span = (millis: number): string => (millis === Infinity ? "for ever" : `for ${Math.round(millis)} ms more`)

const outdated = ({ epoch, outdatedBy }: Inspection): string =>
  outdatedBy === undefined
    ? ""
    : `${outdatedBy.tag === undefined ? "everything," : showTag(outdatedBy.tag)} epoch ${outdatedBy.epoch} > entry ${epoch ?? "?"}`

/** What is true of one tier's entry at this moment. */
const stateOf = (inspection: Inspection, settings: Settings, now: number): string => {
  const { entry, isIdle, outdatedBy } = inspection
  if (entry === undefined) return "no entry"
  if (outdatedBy !== undefined) return outdated(inspection)
  if (isIdle) return "not read for longer than timeToIdle"
  if (now < entry.freshUntil) {
    const bound = settings.timeToLive === undefined ? entry.freshUntil : entry.createdAt + settings.timeToLive
    return now < bound ? `fresh ${span(entry.freshUntil - now)}` : "past the timeToLive in force here"
  }
  const ago = Math.round(now - entry.freshUntil)
  return now < entry.staleUntil
    ? `fresh until ${ago} ms ago, kept ${span(entry.staleUntil - now)}`
    : `gone since ${Math.round(now - entry.staleUntil)} ms`
}

/** The newest of what may be looked at, as a tiered reading takes it. */
const best = <A, E>(tiers: ReadonlyArray<CacheStore.Inspection<A, E>>) =>
  tiers
    .filter(({ entry, isIdle, outdatedBy }) => entry !== undefined && outdatedBy === undefined && !isIdle)
    .map(({ entry }) => entry!)
    .reduce<CacheStore.Inspection<A, E>["entry"]>(
      (newest, entry) => (newest === undefined || entry.createdAt > newest.createdAt ? entry : newest),
      undefined
    )

const bypassReason = <K, A, E, R>({ definition }: Core<K, A, E, R>, key: K, { mode }: Settings): string | undefined =>
  mode === "no-store" ? "mode no-store" : definition.when?.(key) === false ? "when says no to this key" : undefined

/** What comes of it where nothing may be served at once. */
const missing = <K, A, E, R>(
  { loader }: Core<K, A, E, R>,
  id: string,
  settings: Settings,
  now: number
): readonly [Verdict, string] => {
  if (loader.flightOf(id) !== undefined) return ["join", "a load of this key is in the air"]
  const held = loader.voyages.heldOff(id, settings, now)
  return held?._tag === "Failure"
    ? ["heldOff", `the source is left alone, its last load failed with: ${Cause.pretty(held.cause).split("\n")[0]}`]
    : ["load", "nothing may be served without a load"]
}

export const explain = <K, A, E, R>(
  core: Core<K, A, E, R>,
  key: K
): Effect.Effect<CacheExplanation<A, E>, CacheError.StoreFailure | CacheError.KeyError> =>
  Effect.suspend((): Effect.Effect<CacheExplanation<A, E>, CacheError.StoreFailure | CacheError.KeyError> => {
    const id = core.encode(key)
    return typeof id === "string" ? explainId(core, id, Option.some(key)) : Effect.fail(id)
  })

/** By the text of a key, as a store has it; what depends on the key itself is told only where that is known. */
export const explainId = <K, A, E, R>(
  core: Core<K, A, E, R>,
  id: string,
  key: Option.Option<K>
): Effect.Effect<CacheExplanation<A, E>, CacheError.StoreFailure> =>
  Effect.withFiberRuntime((fiber) => {
    const settings = core.settingsOf(fiber)
    return Effect.map(core.definition.region.inspect(id), (tiers): CacheExplanation<A, E> => {
      const now = core.clock.now(fiber)
      const reasons = tiers.map((one) => `tier ${one.tier} (${one.store}): ${stateOf(one, settings, now)}`)
      const bypass = Option.isSome(key) ? bypassReason(core, key.value, settings) : undefined
      if (bypass !== undefined) return { verdict: "bypass", reasons: [...reasons, bypass], tiers }
      const verdict = judge(best(tiers), settings, now)
      if (verdict === "fresh" || verdict === "stale") {
        return { verdict, reasons: verdict === "fresh" ? reasons : [...reasons, "within staleWhileRevalidate"], tiers }
      }
      const [outcome, reason] = missing(core, id, settings, now)
      const mode = settings.mode === "default" ? [] : [`mode ${settings.mode}`]
      return { verdict: outcome, reasons: [...reasons, ...mode, reason], tiers }
    })
  })
