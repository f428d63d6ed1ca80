/**
 * Sends the spans of caches and stores, and all others of the program, to an OpenTelemetry collector.
 *
 * Needs the optional peer `@effect/opentelemetry` and the SDK packages it asks for. A program that has an OpenTelemetry
 * Layer of its own needs nothing from here: caches use whatever tracer is in force.
 *
 * @since 0.1.0
 */
import * as NodeSdk from "@effect/opentelemetry/NodeSdk"
import type { Sampler, SpanExporter } from "@opentelemetry/sdk-trace-base"
import { BatchSpanProcessor, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as CacheError from "../CacheError.js"
import * as Check from "../internal/options.js"

/**
 * Where spans go, and as what.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** The service's name in the collector. */
  readonly serviceName: string
  readonly serviceVersion?: string | undefined
  /** Attributes of all spans, such as the deployment's name. */
  readonly attributes?: Readonly<Record<string, string | number | boolean>> | undefined
  /** Any span exporter of OpenTelemetry, such as the one for OTLP over HTTP. */
  readonly exporter: SpanExporter
  /** Whether spans are sent one by one as they end, for tests and short programs. Default: no, in batches. */
  readonly immediate?: boolean | undefined
  /** Which traces are kept. Default: all. */
  readonly sampler?: Sampler | undefined
  /** How long the last spans may take to be sent when the Layer is released. Default: 3 seconds. */
  readonly shutdownTimeout?: Duration.DurationInput | undefined
}

const exporter: Check.Check = (value) =>
  typeof value === "object" && value !== null && "export" in value && typeof value.export === "function"
    ? undefined
    : { reason: "must be a span exporter", hint: "use one such as `new OTLPTraceExporter()`" }

const record: Check.Check = (value) =>
  typeof value === "object" && value !== null
    ? undefined
    : { reason: "must be a record of attributes", hint: 'use a record such as { region: "eu" }' }

const name: Check.Check = (value) =>
  typeof value === "string" && value.length > 0
    ? undefined
    : { reason: "must be a name that is not empty", hint: "use the name of your service" }

/** What every option must be; a missing exporter or name is refused like a wrong one. */
const check = (options: Options): Effect.Effect<void, CacheError.InvalidConfig> =>
  Check.check(
    { ...options, serviceName: options.serviceName ?? "", exporter: options.exporter ?? null },
    {
      serviceName: name,
      serviceVersion: Check.text,
      attributes: record,
      exporter,
      immediate: Check.boolean,
      sampler: Check.any,
      shutdownTimeout: Check.duration
    }
  )

/**
 * Traces what runs under it, and sends the last spans when it is released. Bad options are `InvalidConfig`.
 *
 * @example
 * ```ts
 * import { InMemorySpanExporter } from "@opentelemetry/sdk-trace-base"
 * import { Cached, MemoryStore } from "effect-larder"
 * import * as OpenTelemetry from "effect-larder/OpenTelemetry"
 * import { Effect, Layer } from "effect"
 *
 * const exporter = new InMemorySpanExporter()
 * const Tracing = OpenTelemetry.layer({ serviceName: "shop", exporter, immediate: true })
 *
 * const price = Cached.fn("price")((item: string) => Effect.succeed(item.length))
 *
 * const program = Effect.gen(function*() {
 *   yield* Effect.withSpan(price("bread"), "checkout")
 *   console.log(exporter.getFinishedSpans().map((span) => span.name)) // => [ 'larder.load', 'checkout' ]
 * })
 *
 * program.pipe(Effect.provide(Layer.merge(MemoryStore.layer(), Tracing)), Effect.runPromise)
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (options: Options): Layer.Layer<never, CacheError.InvalidConfig> =>
  Layer.unwrapEffect(
    Effect.map(check(options), () =>
      NodeSdk.layer(() => ({
        resource: {
          serviceName: options.serviceName,
          ...(options.serviceVersion === undefined ? {} : { serviceVersion: options.serviceVersion }),
          ...(options.attributes === undefined ? {} : { attributes: options.attributes })
        },
        spanProcessor:
          options.immediate === true
            ? new SimpleSpanProcessor(options.exporter)
            : new BatchSpanProcessor(options.exporter),
        tracerConfig: options.sampler === undefined ? {} : { sampler: options.sampler },
        shutdownTimeout: Check.millisOf(options.shutdownTimeout ?? Duration.seconds(3))
      }))
    )
  ).pipe(Layer.discard)
