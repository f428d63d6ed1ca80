/** Compile-time assertions: `tsc` is the test runner of this file. */
import { type CacheError, type CacheStore, CacheStream } from "effect-larder"
import { Context, Data, type Effect, type Layer, Schema, type Scope, Stream } from "effect"

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const same =
  <A>() =>
  <B>(_value: B, ..._proof: Equal<A, B> extends true ? [] : ["differs", B]): void => {}

class Broken extends Data.TaggedError("Broken")<{}> {}
class Origin extends Context.Tag("Origin")<
  Origin,
  { readonly open: (id: string) => Stream.Stream<Uint8Array, Broken> }
>() {}
type BuildError = CacheError.InvalidConfig | CacheError.StoreFailure
type Lost = CacheError.LoadTimeout | CacheError.StoreError

const open = (id: string): Stream.Stream<Uint8Array, Broken, Origin> =>
  Stream.flatMap(Origin, (origin) => origin.open(id))

// what a source requires is required where the cache is built; what it fails with is what a get fails with
class Films extends CacheStream.Service<Films>()("app/Films", { key: Schema.String, lookup: open }) {}
same<Layer.Layer<Films, BuildError, CacheStore.CacheStore | Origin>>()(Films.layer)
same<Stream.Stream<Uint8Array, Broken | Lost, Films>>()(Films.get("a"))
// @ts-expect-error the key is text
Films.get(1)

// the key is known from the Schema
class ById extends CacheStream.Service<ById>()("app/ById", {
  key: Schema.Number,
  lookup: (id) => Stream.make(Uint8Array.of(id))
}) {}
same<Stream.Stream<Uint8Array, Lost, ById>>()(ById.get(1))

const made = CacheStream.make("made", { lookup: open })
same<
  Effect.Effect<CacheStream.CacheStream<string, Broken>, BuildError, CacheStore.CacheStore | Origin | Scope.Scope>
>()(made)

// a key that may be refused says so
const any = CacheStream.make("any", { lookup: (_: unknown) => Stream.empty })
same<CacheError.KeyError | Lost>()(null! as CacheStream.GetError<unknown, never>)
same<Effect.Effect<CacheStream.CacheStream<unknown>, BuildError, CacheStore.CacheStore | Scope.Scope>>()(any)
