/**
 * Many gets at once: one reading of the store for all that is not near, then every load is started before any is
 * waited for. Loads are the same flights that single gets share.
 */
import * as Effect from "effect/Effect"
import type { Asked, Call, Core, Ticket } from "./core.js"
import type { Answer } from "./model.js"

/** What the store says of the keys that are worth asking for: not near, and nobody is at them already. */
const ask = <K, A, E, R>(
  core: Core<K, A, E, R>,
  keys: ReadonlyArray<K>,
  call: Call
): Effect.Effect<ReadonlyMap<string, Asked<A, E>>, E> => {
  const { complete, near } = core.definition.region
  const ids = new Set<string>()
  if (!complete && call.settings.mode === "default") {
    for (const key of keys) {
      const id = core.encode(key)
      if (typeof id !== "string" || core.loader.flightOf(id) !== undefined) continue
      const entry = near?.peek(id, call.startedAt)
      if (entry === undefined || call.startedAt >= entry.freshUntil) ids.add(id)
    }
  }
  if (ids.size === 0) return Effect.succeed(new Map())
  const wanted = [...ids]
  return Effect.map(core.loader.guard.read(wanted), ({ epoch, found }) =>
    new Map(wanted.map((id, index) => [id, { found: found[index], epoch }])))
}

/** Rides one after the other; interrupted, it leaves the flights it has not come to. */
const rideAll = <K, A, E, R>(
  core: Core<K, A, E, R>,
  tickets: ReadonlyArray<Ticket<K, A, E, R>>,
  call: Call
): Effect.Effect<ReadonlyArray<Answer<A, E>>, E, R> => {
  let next = 0
  const leaveRest = Effect.suspend(() =>
    Effect.forEach(tickets.slice(next), (ticket) =>
      Effect.isEffect(ticket) ? Effect.void : core.leave(ticket.flight), { discard: true })
  )
  return Effect.onError(
    Effect.forEach(tickets, (ticket) => {
      next++
      return core.settle(ticket, call)
    }),
    () => leaveRest
  )
}

export const getMany = <K, A, E, R>(
  core: Core<K, A, E, R>,
  keys: Iterable<K>
): Effect.Effect<ReadonlyArray<Answer<A, E>>, E, R> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.withFiberRuntime((fiber) => {
      const all = Array.from(keys)
      const settings = core.settingsOf(fiber)
      const call: Call = { settings, fiber, restore, startedAt: core.clock.now(fiber) }
      return Effect.flatMap(restore(ask(core, all, call)), (asked) =>
        rideAll(core, all.map((key) => {
          const id = core.encode(key)
          return core.decide(key, call, typeof id === "string" ? asked.get(id) : undefined)
        }), call))
    })
  )
