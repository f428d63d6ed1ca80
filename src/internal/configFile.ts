/**
 * Finding and reading `larder.config.{toml,yaml,json}`. The parsers are imported only once such a file was found, so
 * that programs without one, and browsers, never load them.
 *
 * @since 0.1.0
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as Effect from "effect/Effect"
import type { Reading } from "./configSources.js"
import { fromFile, nothing, unreadable, variable } from "./configSources.js"
import { configFileEndings, configFileName } from "./constants.js"
import type { Problem } from "./duration.js"

const parsers: Record<(typeof configFileEndings)[number], (text: string) => Promise<unknown>> = {
  toml: (text) => import("smol-toml").then((toml) => toml.parse(text)),
  // the log level keeps the parser from printing its warnings to the console by itself
  yaml: (text) => import("yaml").then((yaml) => yaml.parse(text, { logLevel: "error" })),
  json: (text) => Promise.resolve(text).then((text) => (text.trim() === "" ? {} : JSON.parse(text)))
}

const problem = (file: string, reason: string, hint: string): Problem => ({ field: "file", value: file, reason, hint })

/** The first line of what a parser complains about; the rest is an excerpt of the file. */
const firstLine = (cause: unknown): string =>
  String(cause instanceof Error ? cause.message : cause).split("\n")[0] ?? "unknown cause"

const parse = (file: string, text: string): Effect.Effect<object, Problem> => {
  const ending = configFileEndings.find((ending) => file.toLowerCase().endsWith(`.${ending}`))
  if (ending === undefined) {
    return Effect.fail(problem(file, "has an unknown ending", `name it with one of .${configFileEndings.join(", .")}`))
  }
  return Effect.tryPromise({
    try: () => parsers[ending](text.replace(/^\uFEFF/, "")),
    catch: (cause) => problem(file, `is not valid ${ending}: ${firstLine(cause)}`, "mend the file or remove it")
  }).pipe(
    // an empty YAML document is null
    Effect.map((content) => content ?? {}),
    Effect.filterOrFail(
      (content): content is object => typeof content === "object" && !Array.isArray(content),
      () => problem(file, "must hold settings by name", 'write lines such as timeToLive = "5 minutes"')
    )
  )
}

/** The nearest folder's configuration file, from the working directory upward; a second one beside it is a problem. */
const find: Effect.Effect<string | undefined, Problem, FileSystem.FileSystem | Path.Path> = Effect.gen(function* () {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  let folder = path.resolve(".")
  for (;;) {
    const candidates = configFileEndings.map((ending) => path.join(folder, `${configFileName}.${ending}`))
    // a folder above that may not be looked into is as good as one without a file
    const present = yield* Effect.filter(candidates, (file) => Effect.orElseSucceed(fs.exists(file), () => false))
    if (present.length > 1) {
      return yield* Effect.fail(
        problem(
          present.join(", "),
          "there must be one configuration file in a folder",
          "keep one of them, or name one in LARDER_CONFIG"
        )
      )
    }
    const above = path.dirname(folder)
    if (present[0] !== undefined || above === folder) return present[0]
    folder = above
  }
})

/** The file that `LARDER_CONFIG` names, or else the one that is found. */
const choose: Effect.Effect<string | undefined, Problem, FileSystem.FileSystem | Path.Path> = Effect.gen(function* () {
  const named = yield* yield* variable("LARDER_CONFIG")
  if (named === undefined) return yield* find
  const fs = yield* FileSystem.FileSystem
  const file = (yield* Path.Path).resolve(named)
  const exists = yield* Effect.orElseSucceed(fs.exists(file), () => true)
  if (exists) return file
  return yield* Effect.fail({
    field: "LARDER_CONFIG",
    value: named,
    reason: "there is no such file",
    hint: `make ${file}, or unset LARDER_CONFIG`
  })
})

/** A relative folder in a file is relative to that file, so that it does not depend on where the program is started. */
const anchored = (path: Path.Path, file: string, reading: Reading): Reading =>
  reading.values.directory === undefined
    ? reading
    : {
        ...reading,
        values: { ...reading.values, directory: path.resolve(path.dirname(file), reading.values.directory) }
      }

/** What the configuration file gives; nothing when there is none. */
export const fromConfigFile: Effect.Effect<Reading, never, FileSystem.FileSystem | Path.Path> = Effect.gen(
  function* () {
    const path = yield* Path.Path
    const file = yield* choose
    if (file === undefined) return nothing
    const text = yield* (yield* FileSystem.FileSystem)
      .readFileString(file)
      .pipe(
        Effect.mapError((error) =>
          problem(file, `cannot be read: ${firstLine(error)}`, "make it a file that may be read")
        )
      )
    return anchored(path, file, fromFile(file, yield* parse(file, text)))
  }
).pipe(Effect.catchAll((problem) => Effect.succeed(unreadable(problem))))

const limitFiles = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"]

/** The memory limit of this container in bytes (cgroup version 2 or 1); `undefined` when there is none. */
export const memoryLimit: Effect.Effect<number | undefined, never, FileSystem.FileSystem> = Effect.flatMap(
  FileSystem.FileSystem,
  (fs) =>
    Effect.firstSuccessOf(limitFiles.map((file) => fs.readFileString(file))).pipe(
      Effect.map((text) => Number.parseInt(text, 10)),
      // version 2 writes "max" and version 1 a number near 2^63 where there is no limit
      Effect.map((bytes) => (bytes > 0 && bytes < 2 ** 60 ? bytes : undefined)),
      Effect.orElseSucceed(() => undefined)
    )
)
