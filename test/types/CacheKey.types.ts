/** Compile-time assertions: `tsc` is the test runner of this file. */
import type { Brand, Chunk, Data, Duration, Effect, Either, HashMap, HashSet, Option, Schema } from "effect"
import type * as CacheError from "../../src/CacheError.js"
import type * as CacheKey from "../../src/CacheKey.js"

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
type Never<K> = Equal<CacheKey.ErrorOf<K>, never>
type Refused<K> = Equal<CacheKey.ErrorOf<K>, CacheError.KeyError>

const assertAll = <const T extends ReadonlyArray<true>>(): T | undefined => undefined

interface Tree {
  readonly value: number
  readonly children: ReadonlyArray<Tree>
  readonly parent?: Tree | undefined
}
interface BadTree {
  readonly children: ReadonlyArray<BadTree>
  readonly visit: () => void
}
type Json = string | number | boolean | null | ReadonlyArray<Json> | { readonly [key: string]: Json }
interface Even {
  readonly next: Odd | null
}
interface Odd {
  readonly next: Even | null
}
interface Growing<T> {
  readonly value: T
  readonly next: Growing<ReadonlyArray<T>> | null
}
declare class WithMethod {
  readonly id: number
  greet(): string
}
type UserId = string & Brand.Brand<"UserId">
type Point = { readonly x: number; readonly y: number } & Brand.Brand<"Point">
type Shape = Data.TaggedEnum<{ Circle: { readonly r: number }; Square: { readonly a: number } }>
declare const UserStruct: Schema.Struct<{ id: typeof Schema.String; age: Schema.optional<typeof Schema.Number> }>
declare const UserBase: Schema.Class<
  { readonly id: string },
  { id: typeof Schema.String },
  { readonly id: string },
  never,
  { readonly id: string },
  {},
  {}
>
declare class User extends UserBase {}

export const encodable =
  assertAll<
    [
      Never<string>,
      Never<number>,
      Never<boolean>,
      Never<null>,
      Never<undefined>,
      Never<void>,
      Never<bigint>,
      Never<"a" | 1 | true | null>,
      Never<never>,
      Never<Date>,
      Never<URL>,
      Never<RegExp>,
      Never<Uint8Array>,
      Never<Float64Array>,
      Never<ArrayBuffer>,
      Never<readonly []>,
      Never<readonly [string, number?]>,
      Never<readonly [string, ...Array<number>]>,
      Never<Array<Date>>,
      Never<{ readonly a: string; readonly b?: number }>,
      Never<Readonly<Record<string, number>>>,
      Never<Map<string, Set<bigint>>>,
      Never<ReadonlyMap<{ readonly a: 1 }, ReadonlySet<Date>>>,
      Never<Option.Option<string>>,
      Never<Either.Either<string, number>>,
      Never<Duration.Duration>,
      Never<Chunk.Chunk<string>>,
      Never<HashMap.HashMap<string, number>>,
      Never<HashSet.HashSet<string>>,
      Never<UserId>,
      Never<Point>,
      Never<Shape>,
      Never<typeof UserStruct.Type>,
      Never<User>,
      Never<Tree>,
      Never<Json>,
      Never<Even>,
      Never<{ readonly message: string; readonly name: string }>,
      Equal<CacheKey.Encodable<Tree>, true>
    ]
  >()

export const refused =
  assertAll<
    [
      Refused<unknown>,
      Refused<any>,
      Refused<object>,
      Refused<{}>,
      Refused<symbol>,
      Refused<() => void>,
      Refused<new () => Date>,
      Refused<Promise<string>>,
      Refused<Effect.Effect<string>>,
      Refused<WeakMap<object, string>>,
      Refused<WeakSet<object>>,
      Refused<Error>,
      Refused<WithMethod>,
      Refused<string | (() => void)>,
      Refused<Array<unknown>>,
      Refused<readonly [string, symbol]>,
      Refused<{ readonly a: { readonly b: ReadonlyArray<{ readonly c: () => void }> } }>,
      Refused<{ readonly a?: unknown }>,
      Refused<Readonly<Record<string, unknown>>>,
      Refused<Map<string, () => void>>,
      Refused<Option.Option<Effect.Effect<void>>>,
      Refused<Either.Either<string, symbol>>,
      Refused<HashMap.HashMap<string, Promise<void>>>,
      Refused<{ readonly [Symbol.iterator]: number }>,
      Refused<BadTree>,
      Refused<Growing<string>>,
      Equal<CacheKey.Encodable<WithMethod>, false>
    ]
  >()
