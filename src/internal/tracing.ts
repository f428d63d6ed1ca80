/** Spans, only where somebody looks: a span costs several times what a memory hit costs. */
import * as Context from "effect/Context"
import * as DefaultServices from "effect/DefaultServices"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Tracer from "effect/Tracer"

const nativeTracer = Context.get(DefaultServices.liveServices, Tracer.Tracer)

/** Whether spans of this fiber can be seen by anybody: it is inside one, or a tracer other than the default is set. */
export const isTraced = (fiber: Fiber.RuntimeFiber<unknown, unknown>): boolean =>
  fiber.currentSpan !== undefined || fiber.currentTracer !== nativeTracer

/**
 * A short stand-in for a key in spans, events and logs: tells keys apart, does not tell what they are. Two hashes of 32
 * bits side by side, in the manner of FNV-1a and of MurmurHash, for JavaScript multiplies no more bits at once.
 */
export const hashKey = (key: string): string => {
  let high = 0x811c9dc5
  let low = 0xc9dc5811
  for (let index = 0; index < key.length; index++) {
    const code = key.charCodeAt(index)
    high = Math.imul(high ^ code, 0x01000193)
    low = Math.imul(low ^ code, 0x5bd1e995) ^ (low >>> 13)
  }
  const hex = (half: number) => (half >>> 0).toString(16).padStart(8, "0")
  return hex(high) + hex(low)
}

/** What events say of a key. */
export const toldKey = ({ keys }: { readonly keys?: boolean | undefined }, key: string): string =>
  keys === true ? key : hashKey(key)

/** Runs `use` inside a span if it can be seen; otherwise just runs it, with `undefined`. */
export const traced = <A, E, R>(
  name: string,
  options: { readonly kind: Tracer.SpanKind; readonly attributes: () => Record<string, unknown> },
  use: (span: Tracer.Span | undefined) => Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  Effect.withFiberRuntime((fiber) =>
    isTraced(fiber)
      ? Effect.useSpan(
          name,
          { kind: options.kind, attributes: options.attributes(), captureStackTrace: false },
          // a `use` that throws must not keep its span from ending
          (span) =>
            Effect.withParentSpan(
              Effect.suspend(() => use(span)),
              span
            )
        )
      : use(undefined)
  )
