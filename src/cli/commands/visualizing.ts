/** Charts of what caches did over a time. */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as CacheError from "../../CacheError.js"
import { steadyMillis } from "../../internal/steady.js"
import * as Ascii from "../charts/ascii.js"
import * as Figures from "../charts/figures.js"
import * as Html from "../charts/html.js"
import * as Samples from "../charts/samples.js"
import * as Svg from "../charts/svg.js"
import { NotWell, Usage } from "../errors.js"
import * as Format from "../format.js"
import { progress } from "../progress.js"
import { safe, Screen, show } from "../screen.js"

/** How charts are drawn. */
export const formats = ["ascii", "html", "svg"] as const

/** What is drawn, how, and where it goes: to the screen if not into a file. */
export interface Visualizing {
  readonly caches: ReadonlyArray<string>
  readonly format: (typeof formats)[number]
  readonly output: Option.Option<string>
}

const pathError =
  (path: string, what: "read" | "written") =>
  (cause: { readonly message: string }): CacheError.PathError =>
    new CacheError.PathError({
      path,
      reason: `cannot be ${what}: ${cause.message}`,
      hint:
        what === "read"
          ? "name a file that larder top --json has written"
          : "name a file in a folder that you may write in",
      cause
    })

const chosen = (series: Samples.Series, names: ReadonlyArray<string>): Effect.Effect<Samples.Series, Usage> => {
  if (names.length === 0) return Effect.succeed(series)
  const found = [...series].filter(([name]) => names.includes(name) || names.includes(Format.cacheName(name)))
  return found.length > 0
    ? Effect.succeed(new Map(found))
    : new Usage({
        reason: `nothing was seen of ${names.map(safe).join(", ")}`,
        hint: `there is: ${[...series.keys()].map(Format.cacheName).join(", ") || "nothing"}`
      })
}

/** Draws what was seen. Fails if that is too little. */
export const draw = (
  series: Samples.Series,
  { caches, format, output }: Visualizing
): Effect.Effect<void, CacheError.PathError | Usage | NotWell, Screen | FileSystem.FileSystem> =>
  Effect.gen(function* () {
    const screen = yield* Screen
    const seen = yield* chosen(series, caches)
    const chapters = Figures.chapters(seen)
    if (chapters.length === 0) {
      yield* screen.note(
        "nothing to draw: two looks at a cache are the least\n  try: larder top --json > samples.jsonl"
      )
      return yield* new NotWell()
    }
    if (screen.json && Option.isNone(output)) {
      return yield* show(
        [...seen].map(([cache, points]) => ({ cache, points })),
        () => ""
      )
    }
    const plain = { columns: undefined, colours: false }
    const text =
      format === "ascii"
        ? Ascii.render(chapters, Option.isSome(output) ? plain : screen)
        : format === "svg"
          ? Svg.render(chapters)
          : Html.render(chapters)
    if (Option.isNone(output)) return yield* screen.print(text)
    const fs = yield* FileSystem.FileSystem
    yield* Effect.mapError(fs.writeFileString(output.value, `${text}\n`), pathError(output.value, "written"))
    yield* show(
      { file: output.value, caches: chapters.map(({ cache }) => cache) },
      () => `wrote ${safe(output.value)}: ${Format.some(chapters.length, "cache")}`
    )
  })

/** Draws what is in a file of samples, or of a log. */
export const ofFile = (
  file: string,
  options: Visualizing
): Effect.Effect<void, CacheError.PathError | Usage | NotWell, Screen | FileSystem.FileSystem> =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const text = yield* Effect.mapError(fs.readFileString(file), pathError(file, "read"))
    yield* draw(Samples.ofLines(text.split("\n")), options)
  })

/** Looks so often, for so long, and draws what was seen. */
export const ofLooks = <E, R>(
  look: Effect.Effect<Samples.Look["caches"], E, R>,
  options: Visualizing & { readonly every: number; readonly span: number }
): Effect.Effect<void, E | CacheError.PathError | Usage | NotWell, R | Screen | FileSystem.FileSystem> =>
  Effect.gen(function* () {
    const { every, span } = options
    if (!(every > 0 && span >= every)) {
      return yield* new Usage({
        reason: `--for ${span} is less than --every ${every}, or one of them is not positive`,
        hint: "--for 60 --every 1"
      })
    }
    const looks: Array<Samples.Look> = []
    yield* Effect.scoped(
      Effect.gen(function* () {
        const bar = yield* progress
        const total = Math.floor(span / every) + 1
        const begun = yield* Clock.currentTimeMillis
        for (let done = 0; done < total; done++) {
          const next = begun + done * every * 1_000
          yield* Effect.sleep(Math.max(0, next - (yield* Clock.currentTimeMillis)))
          looks.push({ at: yield* steadyMillis, caches: yield* look })
          yield* bar({ label: "looking", done: done + 1, total })
        }
      })
    )
    yield* draw(Samples.ofLooks(looks), options)
  })
