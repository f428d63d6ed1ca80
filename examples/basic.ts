/** A cache as a service: typed keys, values and failures. */
import { Cache, MemoryStore } from "effect-larder"
import { Context, Effect, Layer, Schema } from "effect"

class User extends Schema.Class<User>("User")({ id: Schema.String, name: Schema.String, team: Schema.String }) {}
class UserNotFound extends Schema.TaggedError<UserNotFound>()("UserNotFound", { id: Schema.String }) {}

/** What the lookup needs. The cache captures it when it is built; who uses the cache needs the cache only. */
class Directory extends Context.Tag("Directory")<
  Directory,
  { readonly find: (id: string) => Effect.Effect<User, UserNotFound> }
>() {
  static readonly layer = Layer.succeed(Directory, {
    find: (id) =>
      id === "42"
        ? Effect.as(Effect.sleep("100 millis"), new User({ id, name: "Ada", team: "engines" }))
        : new UserNotFound({ id })
  })
}

class Users extends Cache.Service<Users>()("app/Users", {
  key: Schema.String,
  success: User,
  failure: UserNotFound,
  lookup: (id) => Effect.flatMap(Directory, (directory) => directory.find(id)),
  timeToLive: "5 minutes",
  failureTimeToLive: { UserNotFound: "10 seconds" },
  tags: (user) => [`team:${user.team}`]
}) {}

const program = Effect.gen(function* () {
  // a hundred ask at once: the directory is asked once
  const users = yield* Effect.all(
    Array.from({ length: 100 }, () => Users.get("42")),
    { concurrency: "unbounded" }
  )
  const { joined, loaded, loads } = yield* Users.stats
  console.log(`${users.length} gets, ${loads} load: ${loaded} loaded it, ${joined} joined`)

  const again = yield* Users.getResult("42")
  console.log(`${again.value.name} is ${again.outcome}`)

  // everything of one team, at the cost of one step
  yield* Users.invalidateTags(["team:engines"])
  console.log(`still there: ${yield* Users.has("42")}`)

  // a failure is typed, and kept, because it was given a time to live
  yield* Effect.catchTag(Users.get("7"), "UserNotFound", ({ id }) => Effect.sync(() => console.log(`no user ${id}`)))
})

program.pipe(Effect.provide(Users.layer), Effect.provide([MemoryStore.layer(), Directory.layer]), Effect.runPromise)
