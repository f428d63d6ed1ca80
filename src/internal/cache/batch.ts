/**
 * Many gets at once: one reading of the store for all that is not near, then every load is started before any is
 * waited for. Loads are the same flights that single gets share.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as CacheError from "../../CacheError.js"
import type * as CacheStore from "../../CacheStore.js"
import { type Asked, type Call, isAnswer, isPlace, type Place, type Ticket } from "./call.js"
import type { Core } from "./core.js"
import type { Answer } from "./model.js"
import { immediate } from "../instructions.js"
import { traced } from "../tracing.js"

/** What the store said of the keys that were worth asking for: not near, and nobody is at them already. */
interface Told<A, E> {
  readonly reading: CacheStore.Reading<A, E>
  /** Which of its places is each key's. */
  readonly places: ReadonlyMap<string, number>
  readonly overtaken: boolean
}

type Id = string | CacheError.KeyError

const ask = <K, A, E, R>(
  core: Core<K, A, E, R>,
  ids: ReadonlyArray<Id>,
  call: Call
): Effect.Effect<Told<A, E> | undefined, E> => {
  const { complete, near } = core.definition.region
  if (complete || call.settings.mode !== "default") return Effect.succeed(undefined)
  const places = new Map<string, number>()
  for (const id of ids) {
    if (typeof id !== "string" || places.has(id) || core.loader.flightOf(id) !== undefined) continue
    const entry = near?.peek(id, call.startedAt)
    if (entry === undefined || call.startedAt >= entry.freshUntil) places.set(id, places.size)
  }
  if (places.size === 0) return Effect.succeed(undefined)
  const { overtakes } = core.loader
  return Effect.map(core.loader.voyages.guard.read([...places.keys()]), (reading) => ({
    reading,
    places,
    overtaken: core.loader.overtakes !== overtakes
  }))
}

/** The tickets of all keys. A repeated key rides along with its first: by now that load may have landed already. */
const board = <K, A, E, R>(
  core: Core<K, A, E, R>,
  keys: ReadonlyArray<K>,
  ids: ReadonlyArray<Id>,
  call: Call,
  told: Told<A, E> | undefined
): ReadonlyArray<Ticket<K, A, E, R>> => {
  const taken = new Map<Id, Place<K, A, E>>()
  return keys.map((key, index) => {
    const id = ids[index]!
    const place = taken.size === 0 ? undefined : taken.get(id)
    if (place !== undefined) {
      place.flight.waiters++
      return { flight: place.flight, owner: false }
    }
    const at = typeof id === "string" ? told?.places.get(id) : undefined
    const asked: Asked<A, E> | undefined =
      told === undefined || at === undefined
        ? undefined
        : { found: told.reading.found[at], epoch: told.reading.epoch, overtaken: told.overtaken }
    const ticket = core.decide(key, id, call, asked)
    if (isPlace(ticket)) taken.set(id, ticket)
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
  if (isPlace(ticket)) {
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
  if (isAnswer(ticket)) return ticket
  if (isPlace(ticket)) {
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
  if (tickets.every(isAnswer)) return Effect.succeed(tickets)
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
      const ids = all.map((key) => core.encode(key))
      const answers = () =>
        Effect.matchEffect(core.wait(call, ask(core, ids, call), all.length), {
          onSuccess: (told) => rideAll(core, board(core, all, ids, call, told), call),
          // a strict cache's store: no key can be answered
          onFailure: (error) => Effect.succeed(all.map(() => failed<A, E>(error)))
        })
      const attributes = () => ({ "cache.name": core.definition.name, "cache.keys": all.length })
      return settings.traceHits ? traced("larder.get_many", { kind: "internal", attributes }, answers) : answers()
    })
  )
