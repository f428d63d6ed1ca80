/**
 * What those ask who look after a program: whether it lives, whether it is ready, and its numbers.
 *
 * @since 0.1.0
 */
import * as HttpRouter from "@effect/platform/HttpRouter"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as CacheError from "../CacheError.js"
import * as CacheHealth from "../observe/CacheHealth.js"
import * as CachePrometheus from "../observe/CachePrometheus.js"

/** What is true now need not be in a second: no cache on the way may keep it. */
const headers = { "cache-control": "no-store" }

const report = Schema.encodeSync(CacheHealth.Report)

/**
 * Three routes, to be mounted wherever a program's own router wants them:
 *
 * - `/healthz`: 200 as long as the program answers at all;
 * - `/readyz`: the report of `CacheHealth.check` as JSON, with 200, or 503 if a required cache is down;
 * - `/metrics`: all metrics of the program, as Prometheus wants them (see `CachePrometheus.text`).
 *
 * They show names of caches and stores, and no keys and values. `InvalidConfig` tells of options that make no sense, when
 * a route is asked.
 *
 * @example
 * ```ts
 * import * as HttpApp from "@effect/platform/HttpApp"
 * import * as HttpRouter from "@effect/platform/HttpRouter"
 * import { CacheMetrics } from "effect-larder"
 * import * as CacheRoutes from "effect-larder/CacheRoutes"
 * import { Effect } from "effect"
 *
 * const router = HttpRouter.empty.pipe(HttpRouter.mount("/ops", CacheRoutes.make({ required: [] })))
 *
 * const program = Effect.gen(function*() {
 *   const handler = HttpApp.toWebHandlerRuntime(yield* Effect.runtime<never>())(router)
 *   const response = yield* Effect.promise(() => handler(new Request("http://localhost/ops/readyz")))
 *   console.log(response.status, yield* Effect.promise(() => response.text())) // => 200 {"status":"up","caches":[]}
 * })
 *
 * program.pipe(Effect.provide(CacheMetrics.layer()), Effect.runPromise)
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: CacheHealth.Options = {}): HttpRouter.HttpRouter<CacheError.InvalidConfig> =>
  HttpRouter.empty.pipe(
    HttpRouter.get("/healthz", HttpServerResponse.text("ok\n", { headers })),
    HttpRouter.get(
      "/readyz",
      Effect.map(CacheHealth.check(options), (found) =>
        HttpServerResponse.unsafeJson(report(found), { status: found.isReady ? 200 : 503, headers })
      )
    ),
    HttpRouter.get(
      "/metrics",
      Effect.map(CachePrometheus.text(), (text) =>
        HttpServerResponse.text(text, { contentType: CachePrometheus.contentType, headers })
      )
    )
  )
