/**
 * How the library speaks to the loggers of its host: a sentence that begins with `larder:`, what it is about as annotations,
 * and the trace that it belongs to. One way for all lines, so that whoever searches logs finds the same fields on each.
 */
import * as Effect from "effect/Effect"
import * as LogLevel from "effect/LogLevel"
import type * as Tracer from "effect/Tracer"

/** What a line says of the trace that it was told in: nothing where there is none. */
export const traceOf = (span: Tracer.AnySpan | undefined): Readonly<Record<string, string>> =>
  span === undefined ? {} : { traceId: span.traceId, spanId: span.spanId }

export interface Line {
  readonly level: LogLevel.LogLevel
  /** Without the `larder:` that it begins with. */
  readonly message: string
  /** What does not apply is `undefined`, and left out. */
  readonly about: Readonly<Record<string, unknown>>
  /** A hint or a Cause. */
  readonly more?: ReadonlyArray<unknown> | undefined
}

export const tell = ({ about, level, message, more = [] }: Line): Effect.Effect<void> =>
  Effect.withFiberRuntime((fiber) =>
    Effect.annotateLogs(Effect.logWithLevel(level, `larder: ${message}`, ...more), {
      ...Object.fromEntries(Object.entries(about).filter(([, value]) => value !== undefined)),
      ...traceOf(fiber.currentSpan)
    })
  )

/** What somebody should know of a store. */
export const warnOf = (store: string, message: string, ...more: ReadonlyArray<unknown>): Effect.Effect<void> =>
  tell({ level: LogLevel.Warning, message, about: { store }, more })

/** What is well again, or has changed, in a store. */
export const informOf = (store: string, message: string): Effect.Effect<void> =>
  tell({ level: LogLevel.Info, message, about: { store } })
