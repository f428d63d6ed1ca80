import { assert, describe, it } from "@effect/vitest"
import { AlwaysOffSampler, InMemorySpanExporter } from "@opentelemetry/sdk-trace-base"
import { CacheError, Cached, MemoryStore } from "effect-larder"
import * as OpenTelemetry from "effect-larder/OpenTelemetry"
import { Effect, Layer } from "effect"

const price = (name: string) => Cached.fn(name)((item: string) => Effect.succeed(item.length))

/** An exporter that keeps what it was given when it is shut down. */
class Keeping extends InMemorySpanExporter {
  readonly names: Array<string> = []
  override export(...args: Parameters<InMemorySpanExporter["export"]>) {
    this.names.push(...args[0].map((span) => span.name))
    super.export(...args)
  }
}

describe("OpenTelemetry.layer", () => {
  it.effect("sends the spans of caches as part of the program's trace", () =>
    Effect.gen(function* () {
      const exporter = new InMemorySpanExporter()
      const cached = price("traced")
      yield* Effect.gen(function* () {
        yield* Effect.withSpan(cached("bread"), "checkout")
        const [load, checkout] = exporter.getFinishedSpans()
        assert.strictEqual(load?.name, "larder.load")
        assert.strictEqual(checkout?.name, "checkout")
        assert.strictEqual(load?.parentSpanContext?.spanId, checkout?.spanContext().spanId)
        assert.strictEqual(load?.spanContext().traceId, checkout?.spanContext().traceId)
        assert.strictEqual(load?.attributes["cache.name"], "traced")
        assert.match(String(load?.attributes["cache.key_hash"]), /^[0-9a-f]{16}$/)
        assert.notInclude(JSON.stringify([load?.attributes, checkout?.attributes]), "bread")
        assert.deepInclude(load?.resource.attributes, {
          "service.name": "shop",
          "service.version": "1.2.3",
          region: "eu"
        })
      }).pipe(
        Effect.provide(
          OpenTelemetry.layer({
            serviceName: "shop",
            serviceVersion: "1.2.3",
            attributes: { region: "eu" },
            exporter,
            immediate: true
          })
        ),
        Effect.provide(MemoryStore.layer())
      )
    })
  )

  it.effect("sends the last spans when it is released", () =>
    Effect.gen(function* () {
      const exporter = new Keeping()
      const cached = price("batched")
      yield* Effect.withSpan(cached("bread"), "checkout").pipe(
        Effect.tap(() => Effect.sync(() => assert.deepStrictEqual(exporter.names, []))),
        Effect.provide(Layer.merge(MemoryStore.layer(), OpenTelemetry.layer({ serviceName: "shop", exporter })))
      )
      assert.deepStrictEqual(exporter.names, ["larder.load", "checkout"])
    })
  )

  it.effect("keeps only what the sampler keeps", () =>
    Effect.gen(function* () {
      const exporter = new Keeping()
      const options = { serviceName: "shop", exporter, immediate: true, sampler: new AlwaysOffSampler() }
      yield* Effect.withSpan(price("sampled")("bread"), "checkout").pipe(
        Effect.provide(Layer.merge(MemoryStore.layer(), OpenTelemetry.layer(options)))
      )
      assert.deepStrictEqual(exporter.names, [])
    })
  )

  it.effect("refuses what is no option, all in one error", () =>
    Effect.gen(function* () {
      const bad = { serviceName: "", exporter: {}, shutdownTimeout: -1, attributes: 3, nonsense: 1 }
      const build = (options: object) =>
        Effect.flip(Effect.scoped(Layer.build(OpenTelemetry.layer(options as OpenTelemetry.Options))))
      const error = yield* build(bad)
      assert.instanceOf(error, CacheError.InvalidConfig)
      assert.deepStrictEqual(error.issues.map((issue) => issue.field).sort(), [
        "attributes",
        "exporter",
        "nonsense",
        "serviceName",
        "shutdownTimeout"
      ])
      assert.deepStrictEqual((yield* build({})).issues.map((issue) => issue.field).sort(), ["exporter", "serviceName"])
    })
  )
})
