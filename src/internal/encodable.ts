/**
 * Which types hold only values that have a key; the compile-time half of `canonical.ts`. Types only.
 *
 * Invariants: the walk ends, because a type that is being looked at is not looked into again (`Seen`), and a generic
 * type that grows with each step is given up after a dozen (`Depth`); what cannot be proven is refused.
 */
import type * as Brand from "effect/Brand"
import type * as Chunk from "effect/Chunk"
import type * as Duration from "effect/Duration"
import type * as Either from "effect/Either"
import type * as HashMap from "effect/HashMap"
import type * as HashSet from "effect/HashSet"
import type * as Option from "effect/Option"
import type * as CacheError from "../CacheError.js"

type Atom =
  | string
  | number
  | boolean
  | bigint
  | null
  | undefined
  | void
  | Date
  | URL
  | RegExp
  | ArrayBuffer
  | DataView
  | Uint8Array
  | Uint8ClampedArray
  | Int8Array
  | Uint16Array
  | Int16Array
  | Uint32Array
  | Int32Array
  | Float32Array
  | Float64Array
  | BigUint64Array
  | BigInt64Array
  | Duration.Duration

/** Invariant, so that a type is only found in `Seen` if it is this very type. */
interface Box<in out T> {
  readonly box: (value: T) => T
}

/** What a container holds, as a one-element list; `never` for what is no container. */
type Held<T> =
  T extends Option.Option<infer A>
    ? [A]
    : T extends Either.Either<infer R, infer L>
      ? [R | L]
      : T extends Chunk.Chunk<infer A>
        ? [A]
        : T extends HashMap.HashMap<infer K, infer V>
          ? [K | V]
          : T extends HashSet.HashSet<infer A>
            ? [A]
            : T extends ReadonlyArray<infer A>
              ? [A]
              : T extends ReadonlyMap<infer K, infer V>
                ? [K | V]
                : T extends ReadonlySet<infer A>
                  ? [A]
                  : never

/** The property keys that count; a brand is only there for the compiler. */
type Keys<T> = Exclude<keyof T, typeof Brand.BrandTypeId>

type IsError<T> = T extends Error ? ("stack" extends keyof T ? true : false) : false

type OfRecord<T, Seen, Depth extends ReadonlyArray<unknown>> =
  // `object` and `{}` may be anything at all
  [Keys<T>] extends [never]
    ? CacheError.KeyError
    : [Extract<Keys<T>, symbol>] extends [never]
      ? { [P in Keys<T>]-?: Of<T[P], Seen, Depth> }[Keys<T>]
      : CacheError.KeyError

type OfObject<T, Seen, Depth extends ReadonlyArray<unknown>> = [Held<T>] extends [never]
  ? IsError<T> extends true
    ? CacheError.KeyError
    : OfRecord<T, Seen, Depth>
  : Of<Held<T>[0], Seen, Depth>

/** `KeyError` for each member of `T` that may have no key, `never` for each that has. Distributes over unions. */
type Of<T, Seen, Depth extends ReadonlyArray<unknown>> = 0 extends 1 & T
  ? CacheError.KeyError
  : unknown extends T
    ? CacheError.KeyError
    : T extends Atom
      ? never
      : T extends symbol | ((...args: never) => unknown) | (abstract new (...args: never) => unknown)
        ? CacheError.KeyError
        : [Box<T>] extends [Seen]
          ? never
          : Depth["length"] extends 12
            ? CacheError.KeyError
            : OfObject<T, Seen | Box<T>, [...Depth, unknown]>

export type ErrorOf<K> = Of<K, never, []>
