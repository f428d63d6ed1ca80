/**
 * Gathers the loads that begin in one turn of the scheduler, and gives them to a batched lookup together.
 *
 * A load that is interrupted leaves its batch, and harms no other; the last one to leave ends the batch, and waits for
 * its finalizers.
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Runtime from "effect/Runtime"
import type { Many } from "../../CacheBatch.js"
import { handled } from "../handled.js"
import { traced } from "../tracing.js"

type AnyFiber = Fiber.RuntimeFiber<unknown, unknown>

/** One load's place in a batch; the answer may come before anybody waits for it. */
class Seat<K, A, E> {
  private exit: Exit.Exit<A, E> | undefined = undefined
  private waiting: ((exit: Exit.Exit<A, E>) => void) | undefined = undefined

  constructor(
    readonly id: string,
    readonly key: K
  ) {}

  resume(exit: Exit.Exit<A, E>): void {
    this.exit = exit
    this.waiting?.(exit)
  }

  readonly answer: Effect.Effect<A, E> = Effect.async((resume) => {
    if (this.exit !== undefined) resume(this.exit)
    else this.waiting = resume
  })
}

interface Batch<K, A, E> {
  readonly seats: Set<Seat<K, A, E>>
  fiber: Fiber.RuntimeFiber<unknown, unknown> | undefined
}

/** The answers of a batch, or what is wrong with them, as one Exit for each of its keys. */
const exitsOf = <A, E>(
  cache: string,
  exit: Exit.Exit<ReadonlyArray<Either.Either<A, E>>, E>,
  count: number
): ((index: number) => Exit.Exit<A, E>) => {
  if (Exit.isFailure(exit)) return () => Exit.failCause(exit.cause)
  const answers = exit.value
  if (answers.length !== count) {
    const message = `cache '${cache}': its batched lookup was given ${count} keys and answered with ${answers.length} results; answer with one for each key, in their order`
    return () => Exit.die(new Error(message))
  }
  return (index) => Either.match(answers[index]!, { onLeft: Exit.fail, onRight: Exit.succeed })
}

export class Coalescer<K, A, E> {
  private boarding: Batch<K, A, E> | undefined

  constructor(
    private readonly cache: string,
    private readonly many: Many<K, A, E, never>,
    private readonly maxSize: number,
    /** Around each batch. */
    private readonly around: <X>(effect: Effect.Effect<X, E>) => Effect.Effect<X, E>
  ) {}

  /**
   * In the fiber of a load. Who has a seat leaves it when he is interrupted, at whatever moment: a fiber may lose its turn
   * between taking the seat and beginning to wait.
   */
  load(id: string, key: K): Effect.Effect<A, E> {
    return Effect.uninterruptibleMask((restore) =>
      Effect.withFiberRuntime((fiber) => {
        const batch = this.boarding ?? this.begin(fiber)
        const seat = new Seat<K, A, E>(id, key)
        batch.seats.add(seat)
        if (batch.seats.size >= this.maxSize) this.boarding = undefined
        return Effect.onInterrupt(restore(seat.answer), () => {
          batch.seats.delete(seat)
          return batch.seats.size === 0 && batch.fiber !== undefined ? Fiber.interrupt(batch.fiber) : Effect.void
        })
      })
    )
  }

  private begin(fiber: AnyFiber): Batch<K, A, E> {
    const batch: Batch<K, A, E> = { seats: new Set(), fiber: undefined }
    // of the first load, whose fiber may be gone by then
    const runtime = Runtime.make({
      context: fiber.currentContext,
      runtimeFlags: Runtime.defaultRuntimeFlags,
      fiberRefs: fiber.getFiberRefs()
    })
    this.boarding = batch
    // behind all that is to be run already: they may have something to load, too
    fiber.currentScheduler.scheduleTask(() => this.depart(batch, runtime), 0)
    return batch
  }

  private depart(batch: Batch<K, A, E>, runtime: Runtime.Runtime<never>): void {
    if (this.boarding === batch) this.boarding = undefined
    if (batch.seats.size === 0) return
    // a load that was overtaken before it departed, and the one that took its place, want the same
    const byId = new Map([...batch.seats].map(({ id, key }) => [id, key]))
    const places = new Map([...byId.keys()].map((id, index) => [id, index]))
    const keys = [...byId.values()]
    const attributes = () => ({ "cache.name": this.cache, "cache.keys": keys.length })
    const load = traced("larder.load_many", { kind: "internal", attributes }, () => this.many(keys))
    const fiber = Runtime.runFork(runtime)(handled(this.around(load)))
    batch.fiber = fiber
    fiber.addObserver((exit) => {
      const exitAt = exitsOf(this.cache, exit, keys.length)
      for (const seat of batch.seats) seat.resume(exitAt(places.get(seat.id)!))
    })
  }
}
