/**
 * A service with a cache, as a container wants it: told everything by the environment, with routes for whoever looks after it,
 * and gone in good order when it is told to stop.
 *
 *     STORE_URL=redis://127.0.0.1:6379 PORT=3000 node dist/main.js
 *
 * `GET /words/larder` answers by the cache; `/healthz`, `/readyz` and `/metrics` are for probes and for Prometheus.
 */
import * as HttpRouter from "@effect/platform/HttpRouter"
import * as HttpServer from "@effect/platform/HttpServer"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Config, ConfigError, Effect, Either, Layer, Redacted, Schedule, Schema } from "effect"
import { Cache, CacheConfig, type CacheError, CacheLog, CacheMetrics, CacheStore, MemoryStore } from "effect-larder"
import * as CacheRoutes from "effect-larder/CacheRoutes"
import * as MemcachedStore from "effect-larder/MemcachedStore"
import * as ObjectStore from "effect-larder/ObjectStore"
import * as PostgresStore from "effect-larder/PostgresStore"
import * as RedisStore from "effect-larder/RedisStore"
import * as SqliteStore from "effect-larder/SqliteStore"
import { createServer } from "node:http"

type Engine = Layer.Layer<
  CacheStore.CacheStore,
  CacheError.InvalidConfig | CacheError.StoreUnavailable | CacheError.PathError
>

/** Where entries live, by the scheme of `STORE_URL`. What is not the program's to know, such as S3's keys, is the driver's. */
const engines: Readonly<Record<string, (url: string) => Engine>> = {
  redis: (url: string) => RedisStore.layer({ url: Redacted.make(url) }),
  memcached: (url: string) => MemcachedStore.layer({ url: Redacted.make(url) }),
  postgres: (url: string) => PostgresStore.layer({ url: Redacted.make(url) }),
  /** `s3://bucket?endpoint=http://s3:9000&region=us-east-1` */
  s3: (url: string) => {
    const { hostname, searchParams } = new URL(url)
    return ObjectStore.layer({ bucket: hostname, ...Object.fromEntries(searchParams) })
  },
  /** A file in `LARDER_DIR`. */
  sqlite: () => SqliteStore.layer()
}

const schemes = Object.keys(engines)

/** A server that is started at the same moment is waited for: half a minute, then whoever has started this tries again. */
const patience = Schedule.spaced("1 second").pipe(
  Schedule.upTo("30 seconds"),
  Schedule.whileInput((error: Layer.Layer.Error<Engine>) => error._tag === "StoreUnavailable"),
  Schedule.tapInput((error: Layer.Layer.Error<Engine>) => Effect.logWarning("waiting for the store", error.message))
)

const engine = Config.string("STORE_URL").pipe(
  Config.withDefault("sqlite:"),
  Config.mapOrFail((url) => {
    const open = engines[url.slice(0, url.indexOf(":"))]
    return open === undefined
      ? Either.left(ConfigError.InvalidData(["STORE_URL"], `must begin with one of ${schemes.join(", ")}`))
      : Either.right(open(url).pipe(Layer.retry(patience)))
  })
)

const Farther = Layer.unwrapEffect(engine).pipe(CacheStore.timeout("1 second"), CacheStore.circuitBreaker())

/** Memory before it, with a quarter of what the container may have. */
const Store = Layer.unwrapEffect(
  Effect.map(CacheConfig.memoryLimit, (limit) =>
    MemoryStore.layer({ maxBytes: Math.floor((limit ?? 256_000_000) / 4) }).pipe(CacheStore.tieredOver(Farther))
  )
).pipe(Layer.provide(NodeContext.layer))

class Words extends Cache.Service<Words>()("words", {
  key: Schema.String,
  success: Schema.Number,
  lookup: (word) => Effect.as(Effect.sleep("100 millis"), word.length)
}) {}

const router = HttpRouter.empty.pipe(
  HttpRouter.get(
    "/words/:word",
    Effect.gen(function* () {
      const { word = "" } = yield* HttpRouter.params
      const { outcome, value } = yield* Words.getResult(word)
      return HttpServerResponse.text(`${value}\n`, { headers: { "cache-status": `larder; detail=${outcome}` } })
    })
  ),
  HttpRouter.concat(CacheRoutes.make())
)

const Server = Layer.unwrapEffect(
  Effect.map(
    Config.all({
      port: Config.port("PORT").pipe(Config.withDefault(3000)),
      // inside a container this is 0.0.0.0: nobody else can reach its loopback
      host: Config.string("HOST").pipe(Config.withDefault("127.0.0.1"))
    }),
    (address) => NodeHttpServer.layer(createServer, address)
  )
)

const Live = HttpServer.serve(router).pipe(
  HttpServer.withLogAddress,
  Layer.provide(Server),
  Layer.provide(Words.layer),
  Layer.provide(Store),
  // nothing is said here, so the environment has its way: LARDER_TTL, LARDER_DIR, ...
  Layer.provide(CacheConfig.layer()),
  Layer.provide(CacheMetrics.layer()),
  Layer.provide(CacheLog.layerEnvironment)
)

// SIGTERM interrupts this: the server takes no more requests, loads end, stores are closed
NodeRuntime.runMain(Layer.launch(Live))
