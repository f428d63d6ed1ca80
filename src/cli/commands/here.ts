/** Commands about this machine and this folder, not about a store. */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as Effect from "effect/Effect"
import { fileURLToPath } from "node:url"
import * as CacheConfig from "../../CacheConfig.js"
import * as CacheError from "../../CacheError.js"
import type * as CacheStore from "../../CacheStore.js"
import { configFileEndings, configFileName } from "../../internal/constants.js"
import { NotWell } from "../errors.js"
import { isInstalled } from "../installed.js"
import * as Format from "../format.js"
import { paint, safe, type Screen, show } from "../screen.js"

type Files = FileSystem.FileSystem | Path.Path

/** Every setting that is in force in this folder, and where it comes from. */
export const config: Effect.Effect<void, CacheError.InvalidConfig, Screen | Files> = Effect.flatMap(
  CacheConfig.makeFile(),
  (made) =>
    show(CacheConfig.describe(made), (rows, screen) =>
      Format.table(
        [{ head: "SETTING" }, { head: "VALUE" }, { head: "SOURCE" }],
        rows.map(({ field, source, value }) => [field, safe(value), source]),
        screen
      )
    )
)

/** How a configuration file is written. */
export type Ending = (typeof configFileEndings)[number]

/** The files that the package has as examples, beside its own folder. */
const templateOf = (ending: Ending): URL =>
  new URL(`../../../examples/config/${configFileName}.${ending}`, import.meta.url)

/** Writes a configuration file with every setting and what it means, unless there is one. */
export const init = (ending: Ending): Effect.Effect<void, CacheError.PathError, Screen | Files> =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const all = configFileEndings.map((one) => path.resolve(`${configFileName}.${one}`))
    const present = yield* Effect.filter(all, (file) => Effect.orElseSucceed(fs.exists(file), () => false))
    const file = path.resolve(`${configFileName}.${ending}`)
    const refused = (at: string, reason: string, hint: string) =>
      new CacheError.PathError({ path: at, reason, hint, cause: undefined })
    if (present[0] !== undefined) {
      return yield* refused(present[0], "there is one already", "change it, or remove it first")
    }
    yield* fs.readFileString(fileURLToPath(templateOf(ending))).pipe(
      Effect.flatMap((text) => fs.writeFileString(file, text, { flag: "wx" })),
      Effect.mapError((cause) =>
        refused(file, `cannot be written: ${cause.message}`, "run it in a folder that you may write in")
      )
    )
    yield* show({ file }, () => `wrote ${file}: keep what you change`)
  })

/** One thing that was looked at. */
export interface Check {
  readonly name: string
  readonly isWell: boolean
  readonly found: string
  readonly hint?: string
}

/** The oldest Node that this package runs on. */
const oldestNode = 20

const node: Check = {
  name: "Node",
  isWell: Number(process.versions.node.split(".")[0]) >= oldestNode,
  found: process.versions.node,
  hint: `use Node ${oldestNode} or newer`
}

/** Engines that need packages which are not installed with this one. */
const engines: ReadonlyArray<() => Promise<{ readonly descriptor: CacheStore.Descriptor }>> = [
  () => import("../../store/SqliteStore.js"),
  () => import("../../store/PostgresStore.js"),
  () => import("../../store/RedisStore.js"),
  () => import("../../store/ObjectStore.js")
]

/** What is optional is well when it is not there. */
const peers: Effect.Effect<ReadonlyArray<Check>> = Effect.forEach(engines, (load) =>
  Effect.map(Effect.promise(load), ({ descriptor: { name, needs } }) => {
    const missing = needs.filter((need) => !isInstalled(need))
    const found = missing.length === 0 ? "can be used" : `cannot be used before: npm install ${missing.join(" ")}`
    return { name, isWell: true, found }
  })
)

const problem = ({ field, hint, reason, value }: CacheError.Issue): Check => ({
  name: "configuration",
  isWell: false,
  found: `${field} ${value} ${reason}`,
  hint
})

const configuration: Effect.Effect<ReadonlyArray<Check>, never, Files> = Effect.match(CacheConfig.makeFile(), {
  onFailure: ({ issues }) => issues.map(problem),
  onSuccess: (made) => {
    const changed = CacheConfig.describe(made).filter(({ source }) => source !== "default").length
    return [{ name: "configuration", isWell: true, found: `${Format.some(changed, "setting")} changed` }]
  }
})

const memory: Effect.Effect<Check, never, FileSystem.FileSystem> = Effect.map(CacheConfig.memoryLimit, (limit) => ({
  name: "memory",
  isWell: true,
  found:
    limit === undefined
      ? "no limit of a container"
      : `a container's limit of ${Format.bytes(limit)}: a share of it is a good maxBytes`
}))

const storeCheck = <E, R>(reached: Effect.Effect<string, E, R>): Effect.Effect<Check, never, R> =>
  Effect.match(reached, {
    onSuccess: (found) => ({ name: "store", isWell: true, found }),
    onFailure: (error) => ({
      name: "store",
      isWell: false,
      found: error instanceof Error ? error.message : String(error),
      ...(typeof error === "object" && error !== null && "hint" in error ? { hint: String(error.hint) } : {})
    })
  })

/** Looks at all that caching here depends on. Fails if something is not well. `reached` asks the store that is named. */
export const doctor = <E, R>(
  reached: Effect.Effect<string, E, R> | undefined
): Effect.Effect<void, NotWell, Screen | Files | R> =>
  Effect.gen(function* () {
    const checks = [
      node,
      ...(yield* configuration),
      yield* memory,
      ...(yield* peers),
      ...(reached === undefined ? [] : [yield* storeCheck(reached)])
    ]
    yield* show(checks, (all, screen) =>
      Format.pairs(
        all.map(({ found, hint, isWell, name }): readonly [string, string] => [
          `${isWell ? paint(screen, "green", "ok ") : paint(screen, "red", "bad")} ${name}`,
          `${safe(found)}${isWell || hint === undefined ? "" : `\n      try: ${safe(hint)}`}`
        ])
      )
    )
    if (checks.some(({ isWell }) => !isWell)) return yield* new NotWell()
  })
