/**
 * A store as an adapter of Keyv, for libraries that take one: `new Keyv({ store })`.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { MemoryStore } from "effect-larder"
 * import * as CacheKeyv from "effect-larder/CacheKeyv"
 * import Keyv from "keyv"
 *
 * const program = Effect.gen(function*() {
 *   const store = yield* CacheKeyv.make({ name: "sessions" })
 *   const keyv = new Keyv({ store })
 *   yield* Effect.promise(() => keyv.set("42", { name: "Ada" }, 60_000))
 *   return yield* Effect.promise(() => keyv.get("42"))
 * })
 *
 * program.pipe(Effect.scoped, Effect.provide(MemoryStore.layer()), Effect.runPromise).then(console.log) // { name: 'Ada' }
 * ```
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type * as CacheError from "../CacheError.js"
import type * as CacheStore from "../CacheStore.js"
import * as Values from "./internal/values.js"

/**
 * What Keyv asks of a store (its `KeyvStoreAdapter`): values are the texts that Keyv has made of its own, lives are
 * milliseconds. Promises are rejected with a `CacheError`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Adapter {
  opts: Record<string, unknown>
  namespace?: string | undefined
  readonly on: (event: string, listener: (...parameters: Array<unknown>) => void) => Adapter
  readonly get: <Value>(key: string) => Promise<Value | undefined>
  readonly getMany: <Value>(keys: Array<string>) => Promise<Array<Value | undefined>>
  readonly set: (key: string, value: unknown, ttl?: number) => Promise<void>
  readonly setMany: (
    entries: Array<{ readonly key: string; readonly value: unknown; readonly ttl?: number }>
  ) => Promise<void>
  readonly has: (key: string) => Promise<boolean>
  readonly delete: (key: string) => Promise<boolean>
  readonly deleteMany: (keys: Array<string>) => Promise<boolean>
  readonly clear: () => Promise<void>
  readonly iterator: <Value>(namespace?: string) => AsyncGenerator<Array<string | Awaited<Value> | undefined>, void>
  readonly disconnect: () => Promise<void>
}

/**
 * An adapter over the store in force, in a region of its own (`name`, by default "keyv"), which is closed with the Scope;
 * Keyv's own `disconnect` does nothing. One for each Keyv: Keyv tells its adapter its namespace, and one that is told two
 * would clear the wrong one.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  options: { readonly name?: string | undefined } = {}
): Effect.Effect<Adapter, CacheError.InvalidConfig | CacheError.StoreFailure, CacheStore.CacheStore | Scope.Scope> =>
  Effect.gen(function* () {
    const { getMany, region, remove, setMany } = yield* Values.open(options.name ?? "keyv", Schema.Unknown)
    const run = Runtime.runPromise(yield* Effect.runtime<never>())
    const millisOf = (ttl: number | undefined): number => (ttl === undefined || ttl <= 0 ? Infinity : ttl)
    /** Keyv puts its namespace before each key. */
    const isOf = (namespace: string | undefined) => (key: string) =>
      namespace === undefined || key.startsWith(`${namespace}:`)
    const listed = (namespace: string | undefined) => Stream.filter(region.entries, ({ key }) => isOf(namespace)(key))
    // what Keyv takes out is what Keyv has put in
    const all = <Value>(keys: ReadonlyArray<string>) =>
      run(getMany(keys)) as Promise<ReadonlyArray<unknown>> as Promise<Array<Value | undefined>>
    const adapter: Adapter = {
      // Keyv asks for their entries only those that it knows, and it knows them by a word in this
      opts: { dialect: "effect-larder", url: "effect-larder: lists its entries as redis does" },
      // failures reject the promise that was asked for, and are told nowhere else
      on: () => adapter,
      get: async <Value>(key: string) => (await all<Value>([key]))[0],
      getMany: (keys) => all(keys),
      set: (key, value, ttl) => run(setMany([[key, value, millisOf(ttl)]])),
      setMany: (entries) => run(setMany(entries.map(({ key, ttl, value }) => [key, value, millisOf(ttl)]))),
      has: async (key) => (await all([key]))[0] !== undefined,
      delete: async (key) => (await run(remove([key]))) > 0,
      deleteMany: async (keys) => (await run(remove(keys))) > 0,
      clear: () =>
        run(
          Stream.runForEach(Stream.grouped(listed(adapter.namespace), 100), (page) =>
            remove([...page].map(({ key }) => key))
          )
        ),
      async *iterator<Value>(namespace?: string) {
        const entries = Stream.toAsyncIterable(
          Stream.filterMapEffect(listed(namespace), ({ key }) =>
            Option.some(Effect.map(getMany([key]), ([value]) => [key, value] as const))
          )
        )
        for await (const [key, value] of entries) {
          if (value !== undefined) yield [key, value as Awaited<Value>]
        }
      },
      disconnect: () => Promise.resolve()
    }
    return adapter
  })
