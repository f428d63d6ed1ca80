/** Compile-time assertions: `tsc` is the test runner of this file. */
import { type CacheError, type CacheStore, Cached, MemoryStore } from "effect-larder"
import { Context, Data, Effect, type Layer, ManagedRuntime, Schema } from "effect"

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const same =
  <A>() =>
  <B>(_value: B, ..._proof: Equal<A, B> extends true ? [] : ["differs", B]): void => {}

class NotFound extends Data.TaggedError("NotFound")<{}> {}
class Broken extends Data.TaggedError("Broken")<{}> {}
class Db extends Context.Tag("Db")<Db, { readonly find: (id: string) => Effect.Effect<number, NotFound> }>() {}
type Store = CacheStore.CacheStore

const find = (id: string, _page?: number): Effect.Effect<number, NotFound | Broken, Db> =>
  Effect.flatMap(Db, (db) => db.find(id))

// arguments, success, error and requirements stay; a store joins the requirements
const plain = Cached.fn("plain")(find)
same<(id: string, page?: number) => Effect.Effect<number, NotFound | Broken, Db | Store>>()(
  null! as (...args: Parameters<typeof plain>) => ReturnType<typeof plain>
)
same<Effect.Effect<number, NotFound | Broken, Db | Store>>()(plain("a"))
same<Effect.Effect<number, NotFound | Broken, Db | Store>>()(plain("a", 1))
// @ts-expect-error the function takes a string
plain(1)
// @ts-expect-error the function needs its argument
plain()

// controls
same<Effect.Effect<boolean, NotFound | Broken, Store>>()(plain.has("a"))
same<Effect.Effect<void, CacheError.StoreFailure, Store>>()(plain.invalidate("a", 2))
same<Effect.Effect<number, CacheError.StoreFailure, Store>>()(plain.clear)
same<Effect.Effect<number, NotFound | Broken, Db | Store>>()(plain.refresh("a"))
plain.set(["a"], 1)
// @ts-expect-error the value is a number
plain.set(["a"], "1")

// the type options
same<Effect.Effect<number, NotFound | Broken | CacheError.StoreFailure, Db | Store>>()(
  Cached.fn("strict", { strict: true })(find)("a")
)
same<Effect.Effect<number, NotFound | Broken | CacheError.LoadTimeout, Db | Store>>()(
  Cached.fn("deadline", { loadDeadline: "1 second" })(find)("a")
)
// a key that the type does not prove
same<Effect.Effect<1, CacheError.KeyError, Store>>()(
  Cached.fn("unsure")((_: () => void): Effect.Effect<1> => Effect.succeed(1))(() => {})
)
same<Effect.Effect<1, never, Store>>()(
  Cached.fn("sure", { key: (f: () => void) => f.length })((_: () => void): Effect.Effect<1> => Effect.succeed(1))(
    () => {}
  )
)

// callbacks
Cached.fn("callbacks", {
  success: Schema.Number,
  timeToLive: (value, id: string) => value * id.length,
  when: (id: string) => id.length > 1,
  tags: (value) => [value.toFixed()],
  cacheIf: (_exit, id: string) => id === "a",
  failureTimeToLive: { NotFound: "1 second" }
})(find)
Cached.fn("unannotated", { when: (id) => id !== "x" })(find)
// @ts-expect-error `when` is for other arguments
Cached.fn("when", { when: (id: number) => id > 1 })(find)
// @ts-expect-error the Schema is of another type
Cached.fn("schema", { success: Schema.String })(find)
// @ts-expect-error there is no such failure
Cached.fn("tags", { failureTimeToLive: { Missing: "1 second" } })(find)
// @ts-expect-error there is no such option
Cached.fn("option", { ttl: "1 second" })(find)
// @ts-expect-error a key Schema of other arguments
Cached.fn("key", { key: Schema.Tuple(Schema.Number) })(find)

// overloads
function either(of: string): Effect.Effect<string>
function either(of: number, radix: number): Effect.Effect<number, NotFound>
function either(of: string | number): Effect.Effect<any, any> {
  return Effect.succeed(of)
}
const overloaded = Cached.fn("overloaded")(either)
same<Effect.Effect<string, never, Store>>()(overloaded("a"))
same<Effect.Effect<number, NotFound, Store>>()(overloaded(1, 10))
// @ts-expect-error no overload
overloaded(1)

// type parameters
const generic = Cached.generic("generic")(
  <A>(of: ReadonlyArray<A>): Effect.Effect<A, NotFound> => Effect.succeed(of[0]!)
)
same<string>()(null! as Effect.Effect.Success<ReturnType<typeof generic<string>>>)

// effects
const effect = Cached.effect("effect", { success: Schema.Number })(find("a"))
same<number>()(null! as Effect.Effect.Success<typeof effect>)
same<NotFound | Broken>()(null! as Effect.Effect.Error<typeof effect>)
same<Db | Store>()(null! as Effect.Effect.Context<typeof effect>)
same<Effect.Effect<void, CacheError.StoreFailure, Store>>()(effect.invalidate)
// @ts-expect-error the Schema is of another type
Cached.effect("effect", { success: Schema.String })(find("a"))

// promises: the very type, type parameters and overloads included
const runtime = ManagedRuntime.make(MemoryStore.layer())
async function parse(of: string): Promise<string>
async function parse(of: number): Promise<number>
async function parse(of: string | number): Promise<string | number> {
  return of
}
const promised = Cached.promise(runtime, "promised")(parse)
same<Promise<string>>()(promised("a"))
same<Promise<number>>()(promised(1))
const identity = Cached.promise(runtime, "identity")(async <A>(of: A): Promise<A> => of)
same<Promise<string>>()(identity<string>("a"))
same<Promise<void>>()(identity.invalidate(1))

// a missing store is a compile error
// @ts-expect-error CacheStore is required
Effect.runPromise(Cached.fn("alone")((id: string) => Effect.succeed(id))("a"))
export const provided: Promise<string> = Effect.runPromise(
  Cached.fn("alone")((id: string) => Effect.succeed(id))("a").pipe(Effect.provide(MemoryStore.layer()))
)
export const layer: Layer.Layer<CacheStore.CacheStore | CacheStore.Live> = MemoryStore.layer()

// with a Schema, what is given back is of its type, however narrow the function is
const wide = Cached.fn("wide", { success: Schema.Number })((_: string): Effect.Effect<1> => Effect.succeed(1))
same<Effect.Effect<number, never, Store>>()(wide("a"))
wide.set(["a"], 2)
