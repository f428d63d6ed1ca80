/** A region as others want a store to be: values under keys, each with an end, and nothing loaded. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import type * as Schema from "effect/Schema"
import * as CacheEntry from "../../CacheEntry.js"
import type * as CacheError from "../../CacheError.js"
import * as CacheStore from "../../CacheStore.js"
import * as Envelope from "../../codec/Envelope.js"
import * as Json from "../../codec/Json.js"
import { steadyMillis } from "../../internal/steady.js"

type Failure = CacheError.StoreFailure | CacheError.CodecError

export interface Values<A> {
  readonly getMany: (keys: ReadonlyArray<string>) => Effect.Effect<ReadonlyArray<A | undefined>, Failure>
  /** Each with the milliseconds that it lives. */
  readonly setMany: (
    entries: ReadonlyArray<readonly [key: string, value: A, millis: number]>
  ) => Effect.Effect<void, Failure>
  readonly remove: (keys: ReadonlyArray<string>) => Effect.Effect<number, Failure>
  readonly clear: Effect.Effect<number, Failure>
  readonly region: CacheStore.Region<A, never>
}

const entryOf = <A>(value: A, now: number, millis: number): CacheEntry.CacheEntry<A> => ({
  exit: Exit.succeed(value),
  createdAt: now,
  freshUntil: now + millis,
  staleUntil: now + millis,
  tags: [],
  loadMillis: 0,
  keyText: undefined
})

/** Opens a region of the store in force. */
export const open = <A, I>(
  name: string,
  schema: Schema.Schema<A, I>
): Effect.Effect<Values<A>, CacheError.InvalidConfig | CacheError.StoreFailure, CacheStore.CacheStore | Scope.Scope> =>
  Effect.gen(function* () {
    const store = yield* CacheStore.CacheStore
    const codec = Envelope.make({ success: Json.make(schema), failure: undefined })
    const region = yield* store.region<A, never>({ name, codec })
    return {
      region,
      getMany: (keys) =>
        Effect.zipWith(region.getMany(keys), steadyMillis, ({ found }, now) =>
          found.map((one) =>
            one !== undefined && CacheEntry.isFresh(one.entry, now) && Exit.isSuccess(one.entry.exit)
              ? one.entry.exit.value
              : undefined
          )
        ),
      setMany: (entries) =>
        Effect.flatMap(steadyMillis, (now) =>
          region.setMany(
            entries.map(([key, value, millis]) => ({ key, entry: entryOf(value, now, millis), since: undefined }))
          )
        ),
      remove: region.deleteMany,
      clear: region.clear
    }
  })
