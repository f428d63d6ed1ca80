/**
 * Loads that go together: lookups of many keys at once, and caches as sources of batched requests.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Request from "effect/Request"
import * as RequestResolver from "effect/RequestResolver"
import { defaultBatchSize } from "./internal/constants.js"

/**
 * What a batched lookup is told by, whatever copy of this package made it.
 *
 * @since 0.1.0
 * @category type ids
 */
export const TypeId: TypeId = "~effect-larder/CacheBatch"

/**
 * The type of `TypeId`.
 *
 * @since 0.1.0
 * @category type ids
 */
export type TypeId = "~effect-larder/CacheBatch"

/**
 * Makes the values of many keys at once: answers with one Either for each key, in their order. Where it fails as a whole
 * each of the keys does.
 *
 * @since 0.1.0
 * @category models
 */
export type Many<K, A, E, R> = (keys: ReadonlyArray<K>) => Effect.Effect<ReadonlyArray<Either.Either<A, E>>, E, R>

/**
 * A lookup of one key, which is done together with others. Give it to a cache as its `lookup`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Lookup<K, A, E, R> {
  (key: K): Effect.Effect<A, E, R>
  readonly [TypeId]: {
    readonly many: Many<K, A, E, R>
    /** How many keys it is given at most at once. */
    readonly maxSize: number
  }
}

/**
 * A lookup that is given many keys at once: all that the gets of one turn of the scheduler, a `getMany`, or a crowd of
 * background refreshes have to load, each key once. Everything else is as with any lookup: a load belongs to its key, it
 * is joined, fenced, retried and interrupted alone, and a key that fails fails alone.
 *
 * At most `maxSize` keys go into one batch (a positive integer or `Infinity`, default: 100; anything else is
 * `InvalidConfig` when the cache is built); more are more batches, at the same time. An answer with too
 * few or too many results is a defect of each of its keys.
 *
 * @example
 * ```ts
 * import { Cache, CacheBatch, MemoryStore } from "effect-larder"
 * import { Effect, Either } from "effect"
 *
 * const findUsers = (ids: ReadonlyArray<number>) =>
 *   Effect.as(Effect.log(`SELECT * FROM users WHERE id IN (${ids})`), ids.map((id) => Either.right({ id })))
 *
 * const program = Effect.gen(function*() {
 *   const users = yield* Cache.make("users", { lookup: CacheBatch.lookup(findUsers, { maxSize: 500 }) })
 *   // one query for all three
 *   return yield* Effect.all([users.get(1), users.get(2), users.getMany([2, 3])], { concurrency: "unbounded" })
 * })
 *
 * program.pipe(
 *   Effect.scoped,
 *   Effect.provide(MemoryStore.layer()),
 *   Effect.runPromise
 * ).then(console.log) // [ { id: 1 }, { id: 2 }, [ { id: 2 }, { id: 3 } ] ]
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const lookup = <K, A, E = never, R = never>(
  many: Many<K, A, E, R>,
  options: { readonly maxSize?: number | undefined } = {}
): Lookup<K, A, E, R> =>
  Object.assign(
    (key: K) =>
      Effect.flatMap(many([key]), ([answer]) =>
        answer === undefined ? Effect.dieMessage("a batched lookup answered nothing for its key") : answer
      ),
    { [TypeId]: { many, maxSize: options.maxSize ?? defaultBatchSize } } as const
  )

/**
 * The cache as a `RequestResolver`, for programs that are written with `Effect.request`: each request is a get of the
 * key that it stands for, and those of one batch are one `getMany`. A resolver costs several times what a get does; where
 * the cache itself can be called, do.
 *
 * @example
 * ```ts
 * import { Cache, CacheBatch, MemoryStore } from "effect-larder"
 * import { Effect, Request } from "effect"
 *
 * class GetLength extends Request.TaggedClass("GetLength")<number, never, { readonly word: string }> {}
 *
 * const program = Effect.gen(function*() {
 *   const lengths = yield* Cache.make("lengths", { lookup: (word: string) => Effect.succeed(word.length) })
 *   const resolver = CacheBatch.resolver(lengths, (request: GetLength) => request.word)
 *   return yield* Effect.forEach(["a", "larder"], (word) => Effect.request(new GetLength({ word }), resolver), {
 *     batching: true
 *   })
 * })
 *
 * program.pipe(Effect.scoped, Effect.provide(MemoryStore.layer()), Effect.runPromise).then(console.log) // [ 1, 6 ]
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const resolver = <Q extends Request.Request<unknown, unknown>, K, R>(
  cache: {
    readonly getMany: (
      keys: Iterable<K>,
      options: { readonly mode: "either" }
    ) => Effect.Effect<ReadonlyArray<Either.Either<Request.Request.Success<Q>, Request.Request.Error<Q>>>, never, R>
  },
  keyOf: (request: Q) => K
): RequestResolver.RequestResolver<Q, R> =>
  RequestResolver.makeBatched<Q, R>((requests) =>
    Effect.matchCauseEffect(cache.getMany(requests.map(keyOf), { mode: "either" }), {
      // not one of the keys' own failures
      onFailure: (cause) => completeAll(requests, () => Exit.failCause(cause)),
      onSuccess: (answers) => completeAll(requests, (index) => exitOf(answers[index]!))
    })
  )

const exitOf = <A, E>(answer: Either.Either<A, E>): Exit.Exit<A, E> =>
  answer._tag === "Right" ? Exit.succeed(answer.right) : Exit.fail(answer.left)

const completeAll = <Q extends Request.Request<unknown, unknown>>(
  requests: ReadonlyArray<Q>,
  exitAt: (index: number) => Exit.Exit<unknown, unknown>
): Effect.Effect<void> =>
  Effect.forEach(
    requests,
    (request, index) =>
      // a request's own types are those of the cache that answers it
      Request.complete(request, exitAt(index) as Request.Request.Result<Q>),
    { discard: true }
  )
