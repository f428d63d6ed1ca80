/**
 * The spans of caches and stores, and a way to look at them without a collector.
 *
 * Spans are made where somebody can see them: inside a span of the program, or under a tracer other than Effect's own.
 * Loads and store calls have one; a hit has none unless it is asked for (`traceHits`), because a span costs several
 * times what the hit does. Keys are hashed.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as HashMap from "effect/HashMap"
import * as Layer from "effect/Layer"
import * as LogLevel from "effect/LogLevel"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import * as Runtime from "effect/Runtime"
import * as Tracer from "effect/Tracer"
import { tell } from "../internal/tell.js"

/**
 * The names of spans.
 *
 * - `get`: one get with its outcome, only where hits are traced;
 * - `getMany`: many gets at once, only where hits are traced;
 * - `wait`: a get that waits for a load that another has started; linked to that load;
 * - `load`: one run of the lookup, a child of the span of the get that started it, or bypassed the cache;
 * - `storeGet`, `storeSet`, `storeDelete`, `storeInvalidateTags`, `storeClear`: one call of a store that keeps bytes.
 *
 * @since 0.1.0
 * @category constants
 */
export const names = {
  get: "larder.get",
  getMany: "larder.get_many",
  wait: "larder.wait",
  load: "larder.load",
  storeGet: "larder.store.get",
  storeSet: "larder.store.set",
  storeDelete: "larder.store.delete",
  storeInvalidateTags: "larder.store.invalidate_tags",
  storeClear: "larder.store.clear"
} as const

/**
 * The names of attributes.
 *
 * - `cache`: the cache's name;
 * - `keyHash`: 16 hexadecimal digits that tell keys apart, and do not tell what they are;
 * - `outcome`: what the get was, see `CacheResult.Outcome`;
 * - `tier`: the tier that answered, 1 being nearest;
 * - `ageMillis`: milliseconds since the load of what was served started;
 * - `store`, `operation`: the store and what it was called for;
 * - `keys`: how many keys a call was for, where not one; a store that is only asked for its epoch is asked for none;
 * - `correlationId`: what `withCorrelationId` says, of the program's own spans too.
 *
 * @since 0.1.0
 * @category constants
 */
export const attributes = {
  cache: "cache.name",
  keyHash: "cache.key_hash",
  outcome: "cache.outcome",
  tier: "cache.tier",
  ageMillis: "cache.age_ms",
  store: "cache.store",
  operation: "cache.operation",
  keys: "cache.keys",
  correlationId: "correlation.id"
} as const

const digits = "0123456789abcdef"
const randomId: Effect.Effect<string> = Effect.map(
  Effect.replicateEffect(Random.nextIntBetween(0, digits.length), 32),
  (all) => all.map((digit) => digits[digit]).join("")
)

/** The annotation of log lines. */
const logged = "correlationId"

/** The one in force, else the trace's, which is as good; where there is neither, one that is made up. */
const current: Effect.Effect<string> = Effect.flatMap(Effect.logAnnotations, (annotations) => {
  const known = Option.getOrUndefined(HashMap.get(annotations, logged))
  if (typeof known === "string") return Effect.succeed(known)
  return Effect.matchEffect(Effect.currentParentSpan, {
    onSuccess: ({ traceId }) => Effect.succeed(traceId),
    onFailure: () => randomId
  })
})

/**
 * Says what a call is part of: every log line inside the effect is annotated with `correlationId`, every span has it as the
 * attribute `correlation.id`, those of loads and stores that the effect causes included, whatever fiber they run in. A request's
 * id from outside is a good one. Without one it is what is in force already, or else the id of the trace; where there is no
 * trace, one is made up.
 *
 * A load belongs to the call that started it: those who join it are linked to it by their `wait` spans.
 *
 * @example
 * ```ts
 * import { Cached, CacheTracing, MemoryStore } from "effect-larder"
 * import { Effect } from "effect"
 *
 * const square = Cached.fn("square")((n: number) => Effect.as(Effect.log("worked out"), n * n))
 *
 * const program = Effect.gen(function*() {
 *   const request = Effect.withSpan(square(12), "question").pipe(CacheTracing.withCorrelationId("request-7"))
 *   // logs: message="worked out" correlationId=request-7
 *   const [, spans] = yield* CacheTracing.collect(request)
 *   console.log(spans.map((span) => span.attributes.get("correlation.id"))) // => [ 'request-7', 'request-7' ]
 * })
 *
 * program.pipe(Effect.provide(MemoryStore.layer()), Effect.runPromise)
 * ```
 *
 * @since 0.1.0
 * @category correlating
 */
export const withCorrelationId =
  (id?: string) =>
  <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.flatMap(id === undefined ? current : Effect.succeed(id), (known) =>
      self.pipe(Effect.annotateLogs(logged, known), Effect.annotateSpans(attributes.correlationId, known))
    )

/**
 * Runs an effect and answers with its result and all spans that were started meanwhile, those of its program included,
 * in the order they were started. They still go to the tracer in force. For tests, tools and a look at what happens.
 *
 * @example
 * ```ts
 * import { Cached, CacheTracing, MemoryStore } from "effect-larder"
 * import { Effect } from "effect"
 *
 * const square = Cached.fn("square")((n: number) => Effect.succeed(n * n))
 *
 * const program = Effect.gen(function*() {
 *   const [result, spans] = yield* CacheTracing.collect(Effect.withSpan(square(12), "question"))
 *   console.log(result, spans.map((span) => span.name)) // => 144 [ 'question', 'larder.load' ]
 * })
 *
 * program.pipe(Effect.provide(MemoryStore.layer()), Effect.runPromise)
 * ```
 *
 * @since 0.1.0
 * @category collecting
 */
export const collect = <A, E, R>(
  self: Effect.Effect<A, E, R>
): Effect.Effect<readonly [result: A, spans: ReadonlyArray<Tracer.Span>], E, R> =>
  Effect.flatMap(Effect.tracer, (outer) => {
    const spans: Array<Tracer.Span> = []
    const tracer = Tracer.make({
      span: (...options) => {
        const span = outer.span(...options)
        spans.push(span)
        return span
      },
      context: (execution, fiber) => outer.context(execution, fiber)
    })
    return Effect.map(Effect.withTracer(self, tracer), (result) => [result, spans] as const)
  })

/**
 * A span with those that were started inside it: plain data, for a test or a tool.
 *
 * @since 0.1.0
 * @category models
 */
export interface Node {
  readonly name: string
  readonly traceId: string
  readonly spanId: string
  /** How long it took; `undefined` while it has not ended. */
  readonly millis: number | undefined
  readonly failed: boolean
  readonly attributes: Readonly<Record<string, unknown>>
  /** The ids of the spans that it is linked to, such as the load that a `wait` waited for. */
  readonly links: ReadonlyArray<string>
  readonly children: ReadonlyArray<Node>
}

const nodeOf = (span: Tracer.Span, children: ReadonlyArray<Node>): Node => {
  const { attributes, links, name, spanId, status, traceId } = span
  return {
    name,
    traceId,
    spanId,
    millis: status._tag === "Ended" ? Number((status.endTime - status.startTime) / 1_000n) / 1_000 : undefined,
    failed: status._tag === "Ended" && status.exit._tag === "Failure",
    attributes: Object.fromEntries(attributes),
    links: links.map((link) => link.span.spanId),
    children
  }
}

/**
 * Spans as trees of plain data. A span whose parent is not among them is a root.
 *
 * @example
 * ```ts
 * import { Cached, CacheTracing, MemoryStore } from "effect-larder"
 * import { Effect } from "effect"
 *
 * const square = Cached.fn("square")((n: number) => Effect.succeed(n * n))
 *
 * const program = Effect.gen(function*() {
 *   const [, spans] = yield* CacheTracing.collect(Effect.withSpan(square(12), "question"))
 *   const [question] = CacheTracing.forest(spans)
 *   console.log(question?.children[0]?.attributes["cache.name"]) // => square
 * })
 *
 * program.pipe(Effect.provide(MemoryStore.layer()), Effect.runPromise)
 * ```
 *
 * @since 0.1.0
 * @category collecting
 */
export const forest = (spans: ReadonlyArray<Tracer.Span>): ReadonlyArray<Node> => {
  const ids = new Set(spans.map((span) => span.spanId))
  const byParent = new Map<string | undefined, Array<Tracer.Span>>()
  for (const span of spans) {
    const parent = Option.getOrUndefined(span.parent)?.spanId
    const known = parent !== undefined && ids.has(parent) ? parent : undefined
    byParent.set(known, [...(byParent.get(known) ?? []), span])
  }
  const under = (parent: string | undefined): ReadonlyArray<Node> =>
    (byParent.get(parent) ?? []).map((span) => nodeOf(span, under(span.spanId)))
  return under(undefined)
}

const durationOf = ({ millis }: Node): string => {
  if (millis === undefined) return "not ended"
  return millis < 1 ? `${Math.round(millis * 1_000)} µs` : `${millis.toFixed(1)} ms`
}

const describe = (node: Node): string => {
  const shown = Object.entries(node.attributes).filter(([name]) => name.startsWith("cache."))
  const failed = node.failed ? ["failed"] : []
  const linked = node.links.length === 0 ? [] : [`${node.links.length} linked`]
  const notes = [...shown.map(([name, value]) => `${name.slice("cache.".length)}=${value}`), ...linked, ...failed]
  return [node.name, durationOf(node), ...notes].join("  ")
}

/**
 * Spans as a tree of text, one line each: name, duration, what the cache says of it, and whether it failed. A span
 * whose parent is not among them is a root.
 *
 * @example
 * ```ts
 * import { Cached, CacheTracing, MemoryStore } from "effect-larder"
 * import { Effect } from "effect"
 *
 * const square = Cached.fn("square")((n: number) => Effect.succeed(n * n))
 *
 * const program = Effect.gen(function*() {
 *   const [, spans] = yield* CacheTracing.collect(Effect.withSpan(square(12), "question"))
 *   console.log(CacheTracing.tree(spans)) // => question
 *   // question  231 µs
 *   // └─ larder.load  35 µs  name=square  key_hash=9f3c0d1e5a7b2c48
 * })
 *
 * program.pipe(Effect.provide(MemoryStore.layer()), Effect.runPromise)
 * ```
 *
 * @since 0.1.0
 * @category collecting
 */
export const tree = (spans: ReadonlyArray<Tracer.Span>): string => {
  const lines: Array<string> = []
  const write = (node: Node, first: string, rest: string): void => {
    lines.push(first + describe(node))
    node.children.forEach((child, index) => {
      const last = index === node.children.length - 1
      write(child, rest + (last ? "└─ " : "├─ "), rest + (last ? "   " : "│  "))
    })
  }
  for (const root of forest(spans)) write(root, "", "")
  return lines.join("\n")
}

/** Spans that are kept of one root at most: a server that is one long span must not keep all that it ever did. */
const maxDumped = 1_000

interface Dumped {
  readonly root: string
  readonly spans: Array<Tracer.Span>
}

/** Collects spans by the root that they are under, and hands them over when that has ended. */
const dumping = (outer: Tracer.Tracer, dump: (spans: ReadonlyArray<Tracer.Span>) => void): Tracer.Tracer => {
  const open = new Map<string, Dumped>()
  return Tracer.make({
    context: (execution, fiber) => outer.context(execution, fiber),
    span: (...options) => {
      const span = outer.span(...options)
      const parent = Option.getOrUndefined(span.parent)?.spanId
      const known = parent === undefined ? undefined : open.get(parent)
      const all = known ?? { root: span.spanId, spans: [] }
      if (all.spans.length >= maxDumped) return span
      all.spans.push(span)
      open.set(span.spanId, all)
      if (known !== undefined) return span
      const end = span.end.bind(span)
      // made by this very call, so nobody else has it yet
      return Object.assign(span, {
        end: (...how: Parameters<typeof end>) => {
          end(...how)
          for (const { spanId } of all.spans) open.delete(spanId)
          dump(all.spans)
        }
      })
    }
  })
}

/**
 * Dumps each trace of a program when its outermost span has ended: by default its `tree`, as a line of the log. What a trace
 * goes on with in the background is a trace of its own here. Of one, 1 000 spans at most. They still go to the tracer in force:
 * provide this Layer where that is.
 *
 * @example
 * ```ts
 * import { Cached, CacheTracing, MemoryStore } from "effect-larder"
 * import { Effect, Layer } from "effect"
 *
 * const square = Cached.fn("square")((n: number) => Effect.succeed(n * n))
 *
 * const Dump = CacheTracing.layerDump((spans) =>
 *   Effect.sync(() => console.log(JSON.stringify(CacheTracing.forest(spans)).length > 0)) // => true
 * )
 *
 * Effect.withSpan(square(12), "question").pipe(
 *   Effect.provide(Layer.merge(MemoryStore.layer(), Dump)),
 *   Effect.runPromise
 * )
 * ```
 *
 * @since 0.1.0
 * @category collecting
 */
export const layerDump = (
  dump: (spans: ReadonlyArray<Tracer.Span>) => Effect.Effect<void> = (spans) =>
    tell({ level: LogLevel.Info, message: `trace\n${tree(spans)}`, about: { spans: spans.length } })
): Layer.Layer<never> =>
  Layer.unwrapEffect(
    Effect.map(Effect.all([Effect.tracer, Effect.runtime<never>()]), ([outer, runtime]) =>
      Layer.setTracer(dumping(outer, (spans) => void Runtime.runFork(runtime)(dump(spans))))
    )
  )
