/** Compile-time assertions: `tsc` is the test runner of this file. */
import {
  Cache,
  CacheBatch,
  CachePolicy,
  type CacheConfig,
  type CacheError,
  CacheContext,
  CacheStore,
  MemoryStore
} from "effect-larder"
import * as SqliteStore from "effect-larder/SqliteStore"
import { Context, Data, Effect, type Either, type Layer, type Option, Schema, type Scope } from "effect"

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const same =
  <A>() =>
  <B>(_value: B, ..._proof: Equal<A, B> extends true ? [] : ["differs", B]): void => {}

class User extends Schema.Class<User>("User")({ id: Schema.String, orgId: Schema.Number }) {}
class UserNotFound extends Schema.TaggedError<UserNotFound>()("UserNotFound", { id: Schema.String }) {}
class Broken extends Data.TaggedError("Broken")<{}> {}
interface DbShape {
  readonly find: (id: string) => Effect.Effect<User, UserNotFound | Broken>
}
class Db extends Context.Tag("Db")<Db, DbShape>() {}
const find = (id: string) => Effect.flatMap(Db, (db) => db.find(id))

// Service: keys, successes, errors and requirements
class Users extends Cache.Service<Users>()("app/Users", {
  key: Schema.String,
  success: User,
  failure: UserNotFound,
  lookup: (id) => find(id),
  tags: (user) => [`org:${user.orgId}`],
  timeToLive: (user, id) => (user.id === id ? "1 minute" : "1 second"),
  failureTimeToLive: { UserNotFound: "10 seconds" }
}) {}
same<Effect.Effect<User, UserNotFound | Broken, Users>>()(Users.get("1"))
same<Effect.Effect<Option.Option<User>, UserNotFound | Broken, Users>>()(Users.getOption("1"))
same<Effect.Effect<Array<User>, UserNotFound | Broken, Users>>()(Users.getMany(["1"]))
same<Effect.Effect<Array<Either.Either<User, UserNotFound | Broken>>, never, Users>>()(
  Users.getMany(["1"], { mode: "either" })
)
same<Effect.Effect<void, CacheError.StoreFailure, Users>>()(Users.invalidate("1"))
same<Effect.Effect<void, CacheError.StoreFailure | CacheError.CodecError | CacheError.InvalidConfig, Users>>()(
  Users.set("1", new User({ id: "1", orgId: 1 }))
)
same<Layer.Layer<Users, CacheError.InvalidConfig | CacheError.StoreFailure, CacheStore.CacheStore | Db>>()(Users.layer)
same<"app/Users">()(Users.key)
// @ts-expect-error keys are strings
Users.get(1)
// @ts-expect-error values are users
Users.set("1", { id: "1" })

// the instance has no requirements
const instance = Effect.map(Users, (users) => users.get("1"))
same<Effect.Effect<User, UserNotFound | Broken>>()(null! as Effect.Effect.Success<typeof instance>)

// make: all inferred from the lookup
const squares = Cache.make("squares", { lookup: (n: number) => Effect.succeed(n * n) })
same<
  Effect.Effect<
    Cache.Cache<number, number>,
    CacheError.InvalidConfig | CacheError.StoreFailure,
    CacheStore.CacheStore | Scope.Scope
  >
>()(squares)

// what options do to the types
type CacheOf<E extends Effect.Effect<unknown, unknown, unknown>> = Effect.Effect.Success<E>
const strict = Cache.make("strict", { lookup: find, strict: true })
same<Cache.Cache<string, User, UserNotFound | Broken | CacheError.StoreFailure>>()(null! as CacheOf<typeof strict>)
const notStrict = Cache.make("not", { lookup: find, strict: false })
same<Cache.Cache<string, User, UserNotFound | Broken>>()(null! as CacheOf<typeof notStrict>)
const deadline = Cache.make("deadline", { lookup: find, loadDeadline: "1 second" })
same<Cache.Cache<string, User, UserNotFound | Broken | CacheError.LoadTimeout>>()(null! as CacheOf<typeof deadline>)
const impatient = Cache.make("impatient", { lookup: find, waitFresh: "1 second" })
same<Cache.Cache<string, User, UserNotFound | Broken | CacheError.LoadTimeout>>()(null! as CacheOf<typeof impatient>)
const caller = Cache.make("caller", { lookup: find, requirements: "caller" })
same<Cache.Cache<string, User, UserNotFound | Broken, Db>>()(null! as CacheOf<typeof caller>)
same<CacheStore.CacheStore | Scope.Scope>()(null! as Effect.Effect.Context<typeof caller>)
const captured = Cache.make("captured", { lookup: find })
same<CacheStore.CacheStore | Db | Scope.Scope>()(null! as Effect.Effect.Context<typeof captured>)
const unsure = Cache.make("unsure", { lookup: (f: () => number) => Effect.sync(f) })
same<Cache.Cache<() => number, number, CacheError.KeyError>>()(null! as CacheOf<typeof unsure>)

// what is no option, or does not fit
// @ts-expect-error there is no such option
Cache.make("option", { lookup: find, ttl: "1 second" })
// @ts-expect-error no failure is tagged so
Cache.make("tag", { lookup: find, failureTimeToLive: { Missing: "1 second" } })
// @ts-expect-error the Schema is of another type
Cache.make("schema", { lookup: (_: string) => Effect.succeed(1), success: Schema.String })
// @ts-expect-error a lookup is needed
Cache.make("lookup", {})
// @ts-expect-error only locally: it would never load anything
Cache.make("mode", { lookup: find, mode: "only-if-cached" })

// a missing store is a compile error
const program = Effect.scoped(Effect.flatMap(squares, (cache) => cache.get(2)))
// @ts-expect-error CacheStore is required
Effect.runPromise(program)
export const provided: Promise<number> = Effect.runPromise(program.pipe(Effect.provide(MemoryStore.layer())))
// @ts-expect-error the cache's own Layer requires a store
Effect.runPromise(Users.get("1").pipe(Effect.provide(Users.layer), Effect.provideService(Db, { find: null! })))

// marks: what a program asks of its store, it is told at compile time
const needsPersistent = Effect.as(CacheStore.Persistent, 1)
// @ts-expect-error memory does not persist
Effect.runPromise(needsPersistent.pipe(Effect.provide(MemoryStore.layer())))
export const persists: Effect.Effect<
  number,
  CacheError.InvalidConfig | CacheError.StoreUnavailable | CacheError.PathError
> = needsPersistent.pipe(Effect.provide(SqliteStore.layer()))
const tiered = MemoryStore.layer().pipe(CacheStore.tieredOver(SqliteStore.layer()))
same<
  CacheStore.CacheStore | CacheStore.Persistent | CacheStore.Shared | MemoryStore.Controls | SqliteStore.Maintenance
>()(null! as Layer.Layer.Success<typeof tiered>)
const fallback = SqliteStore.layer().pipe(CacheStore.orElse(MemoryStore.layer()))
same<CacheStore.CacheStore>()(null! as Layer.Layer.Success<typeof fallback>)
same<never>()(null! as Layer.Layer.Error<typeof fallback>)

// contexts: the temporary store is provided, and its errors and the settings' join
const inside = program.pipe(CacheContext.with(SqliteStore.layerMemory, { timeToLive: "1 second" }))
same<Effect.Effect<number, CacheError.InvalidConfig | CacheError.StoreFailure>>()(inside)
// @ts-expect-error there is no such setting
CacheContext.with(MemoryStore.layer(), { ttl: "1 second" })
export const options: CacheConfig.Options = { timeToLive: "1 second" }

// policies: what getting may fail with under one is in the type, and one that looks at other values does not fit
const limited = CachePolicy.make({ timeToLive: "5 minutes", loadDeadline: "1 second" })
const drafts = CachePolicy.make({ timeToLive: (user: User) => (user.orgId > 1 ? "1 second" : undefined) })
const both = drafts.pipe(CachePolicy.orElse(limited), CachePolicy.extend({ bulkhead: { concurrency: 2 } }))
const underPolicy = Cache.make("policy", { lookup: (id: string) => find(id), policy: both })
same<UserNotFound | Broken | CacheError.LoadTimeout | CacheError.LoadRejected>()(
  null! as Effect.Effect.Error<ReturnType<Effect.Effect.Success<typeof underPolicy>["get"]>>
)
// @ts-expect-error a policy of users is none of numbers
void Cache.make("misfit", { lookup: (word: string) => Effect.succeed(word.length), policy: drafts })

// a lookup that is made by a call is inferred like any other, also beside options that decide about types
declare const findAll: CacheBatch.Many<string, User, UserNotFound, never>
const made = Cache.make("made", { lookup: CacheBatch.lookup(findAll), loadDeadline: "1 second" })
same<Effect.Effect<User, UserNotFound | CacheError.LoadTimeout>>()(
  null! as ReturnType<Effect.Effect.Success<typeof made>["get"]>
)
