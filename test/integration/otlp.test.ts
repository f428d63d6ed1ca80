/** What a collector gets of a program's caches: spans and metrics over OTLP, decoded by a server that is not ours. */
import * as Otlp from "@effect/opentelemetry/Otlp"
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import { assert, describe, it } from "@effect/vitest"
import { Cache, CacheMetrics, CacheStore, MemoryStore } from "effect-larder"
import * as SqliteStore from "effect-larder/SqliteStore"
import { Effect, Layer, Schema, type Scope } from "effect"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"

interface Attribute {
  readonly key: string
  readonly value: Readonly<Record<string, unknown>>
}
interface Span {
  readonly name: string
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly attributes: ReadonlyArray<Attribute>
  readonly links?: ReadonlyArray<{ readonly spanId: string }>
}
interface Point {
  readonly attributes: ReadonlyArray<Attribute>
  readonly asDouble?: number
  readonly asInt?: number | string
  readonly count?: number | string
}
interface MetricRow {
  readonly name: string
  readonly sum?: { readonly dataPoints: ReadonlyArray<Point> }
  readonly gauge?: { readonly dataPoints: ReadonlyArray<Point> }
  readonly histogram?: { readonly dataPoints: ReadonlyArray<Point> }
}

/** What was posted, by its path. */
class Collector {
  readonly posts: Array<{
    readonly path: string
    readonly body: Record<string, ReadonlyArray<Record<string, ReadonlyArray<Record<string, unknown>>>>>
  }> = []

  private within<A>(path: string, resources: string, scopes: string, rows: string): ReadonlyArray<A> {
    return this.posts
      .filter((post) => post.path === path)
      .flatMap(({ body }) => body[resources] ?? [])
      .flatMap((resource) => resource[scopes] ?? [])
      .flatMap((scope) => (scope[rows] ?? []) as ReadonlyArray<A>)
  }
  get spans(): ReadonlyArray<Span> {
    return this.within("/v1/traces", "resourceSpans", "scopeSpans", "spans")
  }
  get metrics(): ReadonlyArray<MetricRow> {
    return this.within("/v1/metrics", "resourceMetrics", "scopeMetrics", "metrics")
  }
}

const collector: Effect.Effect<{ readonly url: string; readonly heard: Collector }, never, Scope.Scope> = Effect.gen(
  function* () {
    const heard = new Collector()
    const server = createServer((request, response) => {
      let text = ""
      request.setEncoding("utf8").on("data", (chunk) => (text += String(chunk)))
      request.on("end", () => {
        heard.posts.push({ path: request.url ?? "", body: JSON.parse(text) as never })
        response.end("{}")
      })
    })
    yield* Effect.acquireRelease(
      Effect.promise(() => new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))),
      () => Effect.promise(() => new Promise((resolve) => server.close(resolve)))
    )
    return { heard, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
  }
)

const attribute = (attributes: ReadonlyArray<Attribute>, key: string): unknown =>
  Object.values(attributes.find((one) => one.key === key)?.value ?? {})[0]

const numberOf = ({ asDouble, asInt, count }: Point): number => Number(asDouble ?? asInt ?? count)

describe("OTLP", () => {
  it.scopedLive("a collector gets the spans of loads and stores, and counts as many gets as were made", () =>
    Effect.gen(function* () {
      const { heard, url } = yield* collector
      const name = "otlp/users"
      const gets = yield* Effect.gen(function* () {
        const users = yield* Cache.make(name, {
          key: Schema.String,
          success: Schema.Number,
          lookup: (key: string) =>
            key === "bad" ? Effect.fail("refused") : Effect.delay(Effect.succeed(key.length), "1 millis")
        })
        yield* Effect.withSpan(users.get("bread"), "checkout")
        yield* Effect.all([users.get("salt"), users.get("salt"), users.get("salt")], { concurrency: "unbounded" })
        yield* Effect.either(users.get("bad"))
        yield* Effect.forEach(Array.from({ length: 100 }), () => users.get("bread"))
        return (yield* users.stats).gets
      }).pipe(
        Effect.scoped,
        Effect.provide(MemoryStore.layer().pipe(CacheStore.tieredOver(SqliteStore.layerMemory))),
        Effect.provide(CacheMetrics.layer()),
        Effect.provide(
          Otlp.layerJson({
            baseUrl: url,
            resource: { serviceName: "shop" },
            metricsExportInterval: "1 hour",
            tracerExportInterval: "1 hour"
          }).pipe(Layer.provide(FetchHttpClient.layer))
        )
      )
      assert.strictEqual(gets, 105)

      const load = heard.spans.find(
        (span) => span.name === "larder.load" && attribute(span.attributes, "cache.name") === name
      )
      const checkout = heard.spans.find((span) => span.name === "checkout")
      assert.strictEqual(load?.traceId, checkout?.traceId)
      assert.match(String(attribute(load?.attributes ?? [], "cache.key_hash")), /^[0-9a-f]{16}$/)
      const stored = heard.spans.find((span) => span.name === "larder.store.set" && span.traceId === checkout?.traceId)
      assert.strictEqual(attribute(stored?.attributes ?? [], "cache.store"), "SqliteStore")
      assert.notInclude(JSON.stringify(heard.spans), "bread")

      const pointsOf = (metric: string) =>
        heard.metrics
          .filter((one) => one.name === metric)
          .flatMap(({ gauge, histogram, sum }) => (sum ?? gauge ?? histogram)?.dataPoints ?? [])
      const own = (metric: string) =>
        pointsOf(metric).filter(({ attributes }) => attribute(attributes, "cache") === name)
      const outcomes = Object.fromEntries(
        own("cache_gets_total").map((point) => [attribute(point.attributes, "outcome"), numberOf(point)])
      )
      assert.deepInclude(outcomes, { fresh: 100, loaded: 2, joined: 2, failed: 1 })
      assert.strictEqual(
        own("cache_gets_total").reduce((sum, point) => sum + numberOf(point), 0),
        gets
      )
      assert.strictEqual(
        own("cache_load_duration_seconds").reduce((sum, point) => sum + numberOf(point), 0),
        3
      )
      const sets = pointsOf("cache_store_duration_seconds").find(
        ({ attributes }) =>
          attribute(attributes, "operation") === "set" && attribute(attributes, "store") === "SqliteStore"
      )
      assert.isAtLeast(sets === undefined ? 0 : numberOf(sets), 2)
    })
  )
})
