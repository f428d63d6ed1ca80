/** What the log says where other settings come into force than those that were in force around: which, and from where. */
import * as Effect from "effect/Effect"
import * as LogLevel from "effect/LogLevel"
import type { Field, Source } from "./configFields.js"
import { tell } from "./tell.js"

interface Described {
  readonly field: Field
  readonly value: string
  readonly source: Source
}

/** Nothing where nothing is different: to say what the defaults are is what the documentation is for. */
export const tellChange = (before: ReadonlyArray<Described>, after: ReadonlyArray<Described>): Effect.Effect<void> => {
  const changes = after.flatMap(({ field, source, value }, index) => {
    const was = before[index]?.value
    return was === value ? [] : [{ field, was, is: value, source }]
  })
  const text = changes.map(({ field, is, source, was }) => `${field} ${is} instead of ${was} (${source})`).join(", ")
  return changes.length === 0
    ? Effect.void
    : tell({ level: LogLevel.Info, message: `settings: ${text}`, about: { changes } })
}
