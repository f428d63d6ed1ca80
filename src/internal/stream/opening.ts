/** How a reader gets to the bytes of a key: by its manifest, or, before that is there, by following the load. */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Runtime from "effect/Runtime"
import type * as Scope from "effect/Scope"
import type { Settings } from "../cache/settings.js"
import { handled } from "../handled.js"
import type { Manifest } from "./chunk.js"
import type { Intake } from "./intake.js"
import { followed, type Origin, stored } from "./origin.js"
import type { Loaded, Streams } from "./streams.js"

export interface Wanted<K> {
  readonly key: K
  /** The first chunk that will be asked for. */
  readonly from: number
  /** In place of the one in force. */
  readonly mode: Settings["mode"] | undefined
  readonly runtime: Runtime.Runtime<never>
}

/** What there is to read, and what the get of the manifest has come to, or will. */
export interface Opened<E> {
  readonly origin: Origin<E>
  readonly answer: Effect.Effect<Manifest, E>
}

/**
 * Gets the manifest in a fiber of its own, which lasts as long as the Scope at most: while it waits it has a place in the
 * flight, so a load ends with the last of its readers. What is followed is the load of that very flight, and no other.
 */
export const open = <K, E, R>(
  streams: Streams<K, E, R>,
  { from, key, mode, runtime }: Wanted<K>
): Effect.Effect<Opened<Loaded<E>>, Loaded<E>, Scope.Scope> =>
  Effect.gen(function* () {
    const { chunks, core } = streams
    const id = streams.idOf(key)
    let intake: Intake<Loaded<E>> | undefined
    let origin: Origin<Loaded<E>> | undefined
    const get = Effect.flatMap(core.answer(key, mode), ({ exit }) => exit)
    // at once: its place in a flight has to be known
    const fiber = yield* Effect.acquireRelease(
      Effect.sync(() => Runtime.runFork(runtime)(handled(get), { immediate: true })),
      (fiber) =>
        Effect.suspend((): Effect.Effect<unknown> => {
          origin?.leave()
          // who leaves once all has come does not end the load: it is only to be concluded
          return intake?.isComplete === true ? Fiber.await(fiber) : Fiber.interrupt(fiber)
        })
    )
    const flight = core.loader.flightOf(id)
    const follow = () => {
      intake = streams.intakeIn(fiber) ?? streams.intakeIn(flight?.fiber)
      if (intake === undefined) return undefined
      origin = followed(intake, from)
      return Effect.succeed(origin)
    }
    const found = yield* Effect.async<Origin<Loaded<E>>, Loaded<E>>((resume) => {
      const look = () => {
        const exit = fiber.unsafePoll()
        const source = exit === null ? follow() : Effect.map(exit, stored)
        if (source === undefined) return
        end()
        resume(source)
      }
      const stop = streams.onArrival(id, look)
      const end = () => {
        stop()
        fiber.removeObserver(look)
      }
      fiber.addObserver(look)
      if (fiber.unsafePoll() === null) look()
      return Effect.sync(end)
    })
    yield* Effect.acquireRelease(
      Effect.sync(() => chunks.hold(found.generation)),
      (leave) => leave
    )
    return { origin: found, answer: Effect.flatten(Fiber.await(fiber)) }
  })
