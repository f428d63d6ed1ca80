/** A running program, asked over the routes of its dashboard; see `CacheDashboard`. */
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import type * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"

/** What the program answered, where it did not do what it was asked. */
export class ProgramRefused extends Data.TaggedError("ProgramRefused")<{
  readonly reason: string
  readonly hint: string
}> {
  override get message(): string {
    return this.reason
  }
}

const Tier = Schema.Struct({ store: Schema.String, entries: Schema.Number, bytes: Schema.Number })

/** A cache at one moment, as the routes tell it: what a page of another version does not tell is not asked for. */
export const View = Schema.Struct({
  name: Schema.String,
  tiers: Schema.Array(Tier),
  stats: Schema.optional(
    Schema.Struct({
      outcomes: Schema.Record({ key: Schema.String, value: Schema.Number }),
      loads: Schema.Number,
      loadFailures: Schema.Number,
      savedMillis: Schema.Number,
      evictions: Schema.Number,
      percentiles: Schema.Struct({ p50: Schema.Number, p95: Schema.Number, p99: Schema.Number })
    })
  ),
  hottest: Schema.Array(Schema.Struct({ key: Schema.String, part: Schema.Number })),
  flights: Schema.Array(Schema.Struct({ key: Schema.String, millis: Schema.Number, waiters: Schema.Number }))
})
export type View = typeof View.Type

/** What JSON has no word for is null there. */
const maybe = <A, I>(schema: Schema.Schema<A, I>) => Schema.optional(Schema.NullOr(schema))

const Entry = Schema.Struct({
  verdict: Schema.String,
  reasons: Schema.Array(Schema.String),
  tags: Schema.Array(Schema.String),
  createdAt: maybe(Schema.Number),
  freshUntil: maybe(Schema.Number),
  loadMillis: maybe(Schema.Number),
  bytes: maybe(Schema.Number),
  value: maybe(Schema.String)
})
export type Entry = typeof Entry.Type

const Problem = Schema.Struct({ error: Schema.String, hint: Schema.optional(Schema.String) })
const Cleared = Schema.Struct({ cleared: Schema.String, entries: Schema.Number })

/** What is to go. */
export interface Removal {
  readonly keys: ReadonlyArray<string>
  readonly tags: ReadonlyArray<string>
  readonly groups: ReadonlyArray<string>
  readonly everything: boolean
}

export type Failure = ProgramRefused

export interface Service {
  /** Its address, without what is secret in it. */
  readonly address: string
  readonly views: Effect.Effect<ReadonlyArray<View>, Failure>
  readonly keys: (cache: string, limit: number) => Effect.Effect<ReadonlyArray<string>, Failure>
  readonly entry: (cache: string, key: string) => Effect.Effect<Entry, Failure>
  readonly invalidate: (cache: string, removal: Removal) => Effect.Effect<void, Failure>
  readonly clear: (cache: string) => Effect.Effect<typeof Cleared.Type, Failure>
}

export class Program extends Context.Tag("effect-larder/cli/Program")<Program, Service>() {}

/** Whether a program is meant, and no store. */
export const isProgram = (url: string): boolean => /^https?:\/\//.test(url)

const patience = "10 seconds"

const unreachable = (address: string, reason: string): ProgramRefused =>
  new ProgramRefused({
    reason: `the program at ${address} cannot be asked: ${reason}`,
    hint: "give the address that the program's dashboard is mounted at, such as http://127.0.0.1:3001/caches"
  })

/** The token that the address ends with, as `larder dashboard --write` prints it, or else that of the environment. */
const tokenOf = (url: URL): Effect.Effect<Redacted.Redacted<string> | undefined> => {
  const given = new URLSearchParams(url.hash.slice(1)).get("token")
  return given === null
    ? Effect.map(
        Effect.orElseSucceed(Config.option(Config.redacted("LARDER_TOKEN")), Option.none<Redacted.Redacted<string>>),
        Option.getOrUndefined
      )
    : Effect.succeed(Redacted.make(given))
}

const over = (client: HttpClient.HttpClient, url: URL, token: Redacted.Redacted<string> | undefined): Service => {
  const root = `${url.origin}${url.pathname.replace(/\/$/, "")}`
  const decoded = <A, I>(schema: Schema.Schema<A, I>, response: HttpClientResponse.HttpClientResponse) =>
    Effect.mapError(Effect.flatMap(response.json, Schema.decodeUnknown(schema)), () =>
      unreachable(root, "what answers there is no dashboard of effect-larder")
    )
  const answer = <A, I>(
    request: HttpClientRequest.HttpClientRequest,
    schema: Schema.Schema<A, I>
  ): Effect.Effect<A, Failure> =>
    client.execute(request).pipe(
      Effect.mapError(() => unreachable(root, "nobody answers there")),
      Effect.flatMap((response) =>
        response.status < 400
          ? decoded(schema, response)
          : Effect.flatMap(
              decoded(Problem, response),
              ({ error, hint }) => new ProgramRefused({ reason: error, hint: hintOf(response.status, hint) })
            )
      ),
      Effect.scoped,
      Effect.timeoutFail({
        duration: patience,
        onTimeout: () => unreachable(root, `it has not answered in ${patience}`)
      })
    )
  const get = <A, I>(path: string, parameters: Record<string, string>, schema: Schema.Schema<A, I>) =>
    answer(HttpClientRequest.get(`${root}/api/${path}`, { urlParams: parameters }), schema)
  const post = <A, I>(path: string, cache: string, body: unknown, schema: Schema.Schema<A, I>) => {
    const request = HttpClientRequest.post(`${root}/api/${path}`, { urlParams: { cache } }).pipe(
      HttpClientRequest.bodyUnsafeJson(body)
    )
    // told to whoever can change something, and to no other path
    return answer(token === undefined ? request : HttpClientRequest.bearerToken(request, token), schema)
  }
  return {
    address: root,
    views: get("caches", {}, Schema.Array(View)),
    keys: (cache, limit) => get("keys", { cache, limit: String(limit) }, Schema.Array(Schema.String)),
    entry: (cache, key) => get("entry", { cache, key }, Entry),
    invalidate: (cache, removal) => Effect.asVoid(post("invalidate", cache, removal, Schema.Unknown)),
    clear: (cache) => post("clear", cache, {}, Cleared)
  }
}

const hintOf = (status: number, hint: string | undefined): string =>
  status === 401 ? "set LARDER_TOKEN to the token that the program gave to its dashboard" : (hint ?? "")

/** The program at this address. Nothing is asked of it before it is used. */
export const layer = (given: string): Layer.Layer<Program, ProgramRefused> =>
  Layer.effect(
    Program,
    Effect.gen(function* () {
      if (!URL.canParse(given)) return yield* unreachable(given.replace(/#.*/, ""), "it is no address")
      const url = new URL(given)
      return over(yield* HttpClient.HttpClient, url, yield* tokenOf(url))
    })
  ).pipe(
    Layer.provide(FetchHttpClient.layer),
    // a redirection could lead the token elsewhere
    Layer.provide(Layer.succeed(FetchHttpClient.RequestInit, { redirect: "error" }))
  )
