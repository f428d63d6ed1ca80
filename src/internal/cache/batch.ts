/**
 * Many gets at once: one reading of the store for all that is not near, then every load is started before any is
 * waited for. Loads are the same flights that single gets share.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type { Asked, Call, Place, Ticket } from "./call.js"
import type { Core } from "./core.js"
import type { Answer } from "./model.js"
import { immediate } from "../instructions.js"
import { traced } from "../tracing.js"

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
  const { overtakes } = core.loader
  return Effect.map(core.loader.voyages.guard.read(wanted), ({ epoch, found }) => {
    const overtaken = core.loader.overtakes !== overtakes
    return new Map(wanted.map((id, index) => [id, { found: found[index], epoch, overtaken }]))
  })
}

/** The tickets of all keys. A repeated key rides along with its first: by now that load may have landed already. */
const board = <K, A, E, R>(
  core: Core<K, A, E, R>,
  keys: ReadonlyArray<K>,
  call: Call,
  asked: ReadonlyMap<string, Asked<A, E>>
): ReadonlyArray<Ticket<K, A, E, R>> => {
  const places = new Map<string, Place<K, A, E>>()
  return keys.map((key) => {
    const id = core.encode(key)
    if (typeof id !== "string") return core.decide(key, call)
    const place = places.get(id)
    if (place !== undefined) {
      place.flight.waiters++
      return { flight: place.flight, owner: false }
    }
    const ticket = core.decide(key, call, asked.get(id))
    if (!Effect.isEffect(ticket)) places.set(id, ticket)
    return ticket
  })
}

/** What a get fails with before there is a load stands in the place of its own key. */
const failed = <A, E>(error: E): Answer<A, E> => failedBy(Exit.fail(error))

const failedBy = <A, E>(exit: Exit.Exit<never, E>): Answer<A, E> => ({
  exit,
  outcome: "failed",
  entry: undefined,
  tier: undefined
})

/** What has begun for one key: how to have its answer, and how to be rid of it. */
interface Begun<A, E> {
  readonly answer: Effect.Effect<Answer<A, E>>
  readonly leave: Effect.Effect<unknown>
}

/** A place is in a load that has begun; whatever else takes its time begins now, beside all others. */
const begin = <K, A, E, R>(
  core: Core<K, A, E, R>,
  ticket: Ticket<K, A, E, R>,
  call: Call
): Effect.Effect<Begun<A, E>, never, R> => {
  const settled = Effect.suspend(() =>
    Effect.catchAll(core.settle(ticket, call), (error) => Effect.succeed(failed<A, E>(error)))
  )
  if (!Effect.isEffect(ticket)) {
    // a place needs nothing of the context: its load has it already
    return Effect.succeed({
      answer: settled as Begun<A, E>["answer"],
      leave: Effect.suspend(() => core.leave(ticket))
    })
  }
  return Effect.map(Effect.fork(settled), (fiber) => {
    const leave = Fiber.interrupt(fiber)
    return { answer: Effect.onInterrupt(call.restore(Fiber.join(fiber)), () => leave), leave }
  })
}

/** What a ticket has come to already, if it has: most of what was found needs no effect to be answered. */
const answered = <K, A, E, R>(core: Core<K, A, E, R>, ticket: Ticket<K, A, E, R>): Answer<A, E> | undefined => {
  if (!Effect.isEffect(ticket)) {
    const { landing } = ticket.flight
    return landing === undefined ? undefined : core.disembark(ticket, landing)
  }
  const exit = immediate(ticket)
  return (
    exit && Exit.match(exit, { onFailure: (cause) => failedBy(Exit.failCause(cause)), onSuccess: (answer) => answer })
  )
}

/** Waits for one after the other; interrupted, it leaves those it has not come to. */
const rideAll = <K, A, E, R>(
  core: Core<K, A, E, R>,
  tickets: ReadonlyArray<Ticket<K, A, E, R>>,
  call: Call
): Effect.Effect<ReadonlyArray<Answer<A, E>>, never, R> => {
  const answers = tickets.map((ticket) => answered(core, ticket))
  const rest = tickets.filter((_, place) => answers[place] === undefined)
  const all = (others: ReadonlyArray<Answer<A, E>>): ReadonlyArray<Answer<A, E>> => {
    let next = 0
    return answers.map((answer) => answer ?? others[next++]!)
  }
  if (rest.length === 0) return Effect.succeed(all([]))
  return Effect.flatMap(
    Effect.forEach(rest, (ticket) => begin(core, ticket, call)),
    (begun) => {
      let next = 0
      const others = Effect.forEach(begun, ({ answer }) => {
        next++
        return answer
      })
      return Effect.map(
        Effect.onError(others, () => Effect.forEach(begun.slice(next), ({ leave }) => leave, { discard: true })),
        all
      )
    }
  )
}

export const getMany = <K, A, E, R>(
  core: Core<K, A, E, R>,
  keys: Iterable<K>
): Effect.Effect<ReadonlyArray<Answer<A, E>>, never, R> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.withFiberRuntime((fiber) => {
      const all = Array.from(keys)
      const settings = core.settingsOf(fiber)
      const call: Call = { settings, fiber, restore, startedAt: core.clock.now(fiber) }
      const answers = () =>
        Effect.matchEffect(core.wait(call, ask(core, all, call), all.length), {
          onSuccess: (asked) => rideAll(core, board(core, all, call, asked), call),
          // a strict cache's store: no key can be answered
          onFailure: (error) => Effect.succeed(all.map(() => failed<A, E>(error)))
        })
      const attributes = () => ({ "cache.name": core.definition.name, "cache.keys": all.length })
      return settings.traceHits ? traced("larder.get_many", { kind: "internal", attributes }, answers) : answers()
    })
  )
