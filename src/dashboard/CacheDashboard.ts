/**
 * A page to look at caches: what they do over time, what is in them, why a get would hit or miss, and removing what has to
 * go. Mounted in a program's own router, or served by `larder dashboard`.
 *
 * It answers under loopback names only, and changes nothing, unless it is told otherwise. All that it needs comes from
 * itself: no other host is asked for anything.
 *
 * @since 0.1.0
 */
import * as Headers from "@effect/platform/Headers"
import * as HttpRouter from "@effect/platform/HttpRouter"
import type * as HttpServerError from "@effect/platform/HttpServerError"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as ParseResult from "effect/ParseResult"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as CacheError from "../CacheError.js"
import * as Check from "../internal/options.js"
import { steadyMillis } from "../internal/steady.js"
import type * as StoreAdmin from "../StoreAdmin.js"
import * as Assets from "./assets.js"
import * as Guard from "./guard.js"
import * as Source from "./source.js"

/**
 * Who may do what with the page.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** What whoever wants to change something has to know. Default: none, and nothing can be changed. */
  readonly token?: string | Redacted.Redacted<string> | undefined
  /** The host names that the page is asked under. Default: `localhost`, `127.0.0.1` and `[::1]`. */
  readonly hosts?: ReadonlyArray<string> | undefined
  /** Whether values are shown. Default: true. */
  readonly values?: boolean | undefined
  /** How often the numbers are looked at while somebody has the page open. Default: 1 second. */
  readonly every?: Duration.DurationInput | undefined
}

const leastToken = 16

const token: Check.Check = (value) => {
  const text = Redacted.isRedacted(value) ? Redacted.value(value) : value
  return typeof text === "string" && text.length >= leastToken
    ? undefined
    : {
        reason: `must have at least ${leastToken} characters`,
        hint: "use a long random text, such as crypto.randomUUID()"
      }
}

const check = (options: Options): Effect.Effect<void, CacheError.InvalidConfig> => {
  const { token: secret } = options
  const hidden = typeof secret === "string" ? { token: Redacted.make(secret) } : {}
  return Check.check(
    { ...options, ...hidden },
    { token, hosts: Check.nameList, values: Check.boolean, every: Check.positiveDuration }
  )
}

const rulesOf = (options: Options): Guard.Rules => {
  const { hosts = Guard.loopback, token: secret } = options
  return {
    hosts: new Set(hosts.map((host) => host.toLowerCase())),
    token: Redacted.isRedacted(secret) ? Redacted.value(secret) : secret
  }
}

const Removal = Schema.Struct({
  keys: Schema.optionalWith(Schema.Array(Schema.String), { default: () => [] }),
  tags: Schema.optionalWith(Schema.Array(Schema.String), { default: () => [] }),
  groups: Schema.optionalWith(Schema.Array(Schema.String), { default: () => [] }),
  everything: Schema.optionalWith(Schema.Boolean, { default: () => false })
})

const Named = Schema.Struct({ cache: Schema.String })
const Limited = Schema.Struct({
  cache: Schema.String,
  limit: Schema.optionalWith(Schema.NumberFromString.pipe(Schema.int()), { default: () => 100 })
})
const Keyed = Schema.Struct({ cache: Schema.String, key: Schema.String })

/** Keys that one listing shows at most. */
const mostKeys = 1_000

type Asked = Source.Failure | Guard.Refused | ParseResult.ParseError | HttpServerError.RequestError | Assets.Missing

const statusOf = (error: Asked): number => {
  switch (error._tag) {
    case "Refused":
      return error.status
    case "Missing":
    case "InvalidConfig":
      return 404
    case "ParseError":
    case "RequestError":
      return 400
    default:
      return 503
  }
}

/** Told as JSON, with what to do about it. */
const told = (error: Asked) => {
  const said = error instanceof CacheError.InvalidConfig ? (error.issues[0] ?? error) : error
  return HttpServerResponse.unsafeJson(
    {
      error: "reason" in said ? said.reason : said.message,
      hint: "hint" in said ? said.hint : undefined
    },
    { status: statusOf(error), headers: Guard.headers }
  )
}

const json = (value: unknown) => HttpServerResponse.unsafeJson(value, { headers: Guard.headers })

const encoder = new TextEncoder()
const message = (name: string, data: unknown): Uint8Array =>
  encoder.encode(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`)

/** The numbers at this moment, as pages are told of them. */
const look = ({ breakers, views }: Source.Source): Effect.Effect<Uint8Array> =>
  Effect.map(Effect.all([Effect.either(views), breakers, steadyMillis]), ([found, open, at]) =>
    found._tag === "Right"
      ? message("state", { at, caches: found.right, breakers: open })
      : message("failed", { at, error: found.left.message })
  )

/** What happens, as it happens: the numbers now and then, and the events between them. */
const streamed = (source: Source.Source, looked: Effect.Effect<Uint8Array>, every: Duration.DurationInput) => {
  // of two looks of this page both may find the same one of all pages
  const states = Stream.changesWith(
    Stream.repeatEffectWithSchedule(looked, Schedule.spaced(every)),
    (before, now) => before === now
  )
  // an Error says of itself what it is; its stack and cause are nobody's business here
  const events = Stream.map(source.events, (event) =>
    message("happened", { ...event, ...("error" in event ? { error: event.error.message } : {}) })
  )
  return Stream.merge(states, events)
}

/** One look serves all who have the page open: over a store it is a walk through all that is there. */
const routed = (source: Source.Source, options: Options): Effect.Effect<HttpRouter.HttpRouter> => {
  const every = options.every ?? "1 second"
  return Effect.map(Effect.cachedWithTTL(look(source), every), (looked) =>
    routes(source, options, () => streamed(source, looked, every))
  )
}

const routes = (
  source: Source.Source,
  options: Options,
  live: () => Stream.Stream<Uint8Array>
): HttpRouter.HttpRouter => {
  const rules = rulesOf(options)
  const answering = <E extends Asked, R>(
    answer: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>
  ): Effect.Effect<HttpServerResponse.HttpServerResponse, never, R | HttpServerRequest.HttpServerRequest> =>
    Effect.catchAll(Effect.zipRight(Guard.ours(rules), answer), (error: Asked) => Effect.succeed(told(error)))
  const changing = <E extends Asked, R>(change: Effect.Effect<unknown, E, R>) =>
    answering(Effect.zipRight(Guard.allowed(rules), Effect.map(change, json)))

  return HttpRouter.empty.pipe(
    HttpRouter.get("/", answering(Assets.page)),
    HttpRouter.get(
      "/assets/:file",
      answering(
        Effect.flatMap(HttpRouter.schemaPathParams(Schema.Struct({ file: Schema.String })), ({ file }) =>
          Assets.file(file)
        )
      )
    ),
    HttpRouter.get(
      "/api/about",
      answering(Effect.succeed(json({ title: source.title, changes: rules.token !== undefined })))
    ),
    HttpRouter.get("/api/caches", answering(Effect.map(source.views, json))),
    HttpRouter.get(
      "/api/live",
      answering(
        Effect.sync(() =>
          HttpServerResponse.stream(live(), {
            contentType: "text/event-stream",
            headers: Headers.fromInput(Guard.headers)
          })
        )
      )
    ),
    HttpRouter.get(
      "/api/keys",
      answering(
        Effect.flatMap(HttpServerRequest.schemaSearchParams(Limited), ({ cache, limit }) =>
          Effect.map(source.keys(cache, Math.max(1, Math.min(mostKeys, limit))), json)
        )
      )
    ),
    HttpRouter.get(
      "/api/tags",
      answering(
        Effect.flatMap(HttpServerRequest.schemaSearchParams(Named), ({ cache }) => Effect.map(source.tags(cache), json))
      )
    ),
    HttpRouter.get(
      "/api/entry",
      answering(
        Effect.flatMap(HttpServerRequest.schemaSearchParams(Keyed), ({ cache, key }) =>
          Effect.map(source.entry(cache, key), json)
        )
      )
    ),
    HttpRouter.post(
      "/api/invalidate",
      changing(
        Effect.gen(function* () {
          const { cache } = yield* HttpServerRequest.schemaSearchParams(Named)
          const removal = yield* HttpServerRequest.schemaBodyJson(Removal)
          yield* source.invalidate(cache, removal)
          return { invalidated: cache }
        })
      )
    ),
    HttpRouter.post(
      "/api/clear",
      changing(
        Effect.flatMap(HttpServerRequest.schemaSearchParams(Named), ({ cache }) =>
          Effect.map(source.clear(cache), (entries) => ({ cleared: cache, entries }))
        )
      )
    )
  )
}

/**
 * The page over the caches of this program: those that are built under `CacheStats.layer` or `CacheMetrics.layer`. With
 * `CacheEvents.layer` it shows what happens as well. To be mounted in a program's own router; `InvalidConfig` tells of
 * options that make no sense.
 *
 * @example
 * ```ts
 * import * as HttpApp from "@effect/platform/HttpApp"
 * import * as HttpRouter from "@effect/platform/HttpRouter"
 * import { Cache, CacheStats, MemoryStore } from "effect-larder"
 * import * as CacheDashboard from "effect-larder/CacheDashboard"
 * import { Effect, Layer } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const lengths = yield* Cache.make("lengths", { lookup: (word: string) => Effect.succeed(word.length) })
 *   yield* lengths.get("larder")
 *   const page = yield* CacheDashboard.make({ hosts: ["localhost"] })
 *   const router = HttpRouter.empty.pipe(HttpRouter.mount("/caches", page))
 *   const handler = HttpApp.toWebHandlerRuntime(yield* Effect.runtime<never>())(router)
 *   const headers = { host: "localhost" }
 *   const answer = yield* Effect.promise(() => handler(new Request("http://localhost/caches/api/keys?cache=lengths", { headers })))
 *   console.log(yield* Effect.promise(() => answer.text())) // => ["larder"]
 * })
 *
 * program.pipe(
 *   Effect.scoped,
 *   Effect.provide(Layer.merge(MemoryStore.layer(), CacheStats.layer)),
 *   Effect.runPromise
 * )
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: Options = {}): Effect.Effect<HttpRouter.HttpRouter, CacheError.InvalidConfig> =>
  Effect.zipRight(
    check(options),
    Effect.flatMap(Source.ofProgram(options.values ?? true), (source) => routed(source, options))
  )

/**
 * The page over a store whose caches belong to other programs.
 *
 * @since 0.1.0
 * @category constructors
 */
export const over = (
  admin: StoreAdmin.Service,
  options: Options = {}
): Effect.Effect<HttpRouter.HttpRouter, CacheError.InvalidConfig> =>
  Effect.zipRight(check(options), routed(Source.ofStore(admin, options.values ?? true), options))
