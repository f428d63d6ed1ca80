/**
 * One process at a time has a store's directory: what it knows of its entries it keeps in memory.
 *
 * Whoever has it says so in the file `owner`. One that is left behind by a process that was killed is taken over; so is
 * one of before the machine was started, but then what was written last may never have reached the disk, invalidations
 * too, so all that is there is forgotten, unless the store is durable.
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { randomBytes } from "node:crypto"
import * as os from "node:os"
import * as path from "node:path"
import * as CacheError from "../../CacheError.js"
import * as Errors from "./errors.js"

interface Owner {
  readonly pid: number
  /** Tells one start of the machine from another. */
  readonly boot: string
  /** Tells one owner from another with the same number. */
  readonly token: string
}

const bootOf = (fs: FileSystem.FileSystem): Effect.Effect<string> =>
  Effect.orElse(fs.readFileString("/proc/sys/kernel/random/boot_id"), () =>
    // to the minute: clocks are set now and then
    Effect.map(Clock.currentTimeMillis, (now) => String(Math.round((now / 1_000 - os.uptime()) / 60)))
  )

const parse = (text: string): Owner | undefined => {
  try {
    const owner = JSON.parse(text) as Partial<Owner> | null
    return typeof owner?.pid === "number" ? { boot: "", token: "", ...owner, pid: owner.pid } : undefined
  } catch {
    return undefined
  }
}

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // there is one, and it is somebody else's
    return error instanceof Error && "code" in error && error.code === "EPERM"
  }
}

const inUse = (directory: string, { pid }: Owner): CacheError.StoreUnavailable =>
  new CacheError.StoreUnavailable({
    store: Errors.storeName,
    reason: `process ${pid} uses it: ${directory}`,
    hint: `give each process a directory of its own, or use SqliteStore, which processes share; if there is no such process, remove ${path.join(directory, "owner")}`
  })

/** Directories that this very process has. */
const ours = new Set<string>()

/**
 * Takes the directory for as long as the Scope lives. Answers the name of its present generation: entries of an earlier
 * one are none.
 */
export const take = (
  directory: string,
  durable: boolean
): Effect.Effect<string, CacheError.StoreUnavailable, Scope.Scope | FileSystem.FileSystem> =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const file = path.join(directory, "owner")
    const mine: Owner = { pid: process.pid, boot: yield* bootOf(fs), token: randomBytes(9).toString("base64url") }
    const read = Effect.map(
      Effect.orElseSucceed(fs.readFileString(file), () => ""),
      parse
    )
    const before = yield* read
    const isRunning = before !== undefined && before.boot === mine.boot && isAlive(before.pid)
    if (before !== undefined && isRunning && (before.pid !== process.pid || ours.has(directory))) {
      return yield* inUse(directory, before)
    }
    const opening = Effect.mapError(Errors.ofOpening(directory))
    yield* Effect.acquireRelease(
      Effect.gen(function* () {
        if (before !== undefined) yield* Effect.ignore(fs.remove(file))
        // of two that take over at the same time one finds the other's
        yield* Effect.catchIf(
          fs.writeFileString(file, JSON.stringify(mine), { flag: "wx", mode: 0o600 }),
          (error) => error._tag === "SystemError" && error.reason === "AlreadyExists",
          () => Effect.void
        ).pipe(opening)
        const now = yield* read
        if (now?.token !== mine.token) return yield* inUse(directory, now ?? mine)
        ours.add(directory)
      }),
      () =>
        Effect.zipRight(
          Effect.sync(() => ours.delete(directory)),
          Effect.ignore(fs.remove(file))
        )
    )
    const isDoubtful = before !== undefined && before.boot !== mine.boot && !durable
    const generation = path.join(directory, "generation")
    const present = yield* Effect.orElseSucceed(fs.readFileString(generation), () => "")
    if (present !== "" && !isDoubtful) return present
    yield* opening(fs.writeFileString(generation, mine.token, { mode: 0o600 }))
    return mine.token
  })
