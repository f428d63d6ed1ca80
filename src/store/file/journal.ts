/**
 * What outdates the entries of a region, kept beside them: which tags were invalidated, and when everything was.
 *
 * A file of lines, each with a checksum of its own. Invalidations are appended; when the region is opened the file is
 * written anew, as short as can be. Where it is missing or damaged nothing is known of what was invalidated, and the
 * region begins anew under another *incarnation*: the entries that are there are none any more. Only a last line that is
 * cut off is no damage: whoever wrote it was never told that it was written.
 *
 * The counter itself is not written each time, but a ceiling that it has not reached; the next life begins there.
 */
import type { PlatformError } from "@effect/platform/Error"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import { randomBytes } from "node:crypto"
import * as path from "node:path"
import type * as CacheError from "../../CacheError.js"
import { Epochs, type Lasting } from "../../internal/epochs.js"
import { digestOf } from "../internal/mark.js"
import * as Paths from "../internal/paths.js"
import * as Errors from "./errors.js"

/** How far ahead of the counter the ceiling is put. */
const stride = 2 ** 20
/** Lines appended after which the file is written anew. */
const maxAppended = 20_000

type Line =
  | readonly ["head", generation: string, incarnation: string, region: string]
  | readonly ["ceiling", epoch: number]
  | readonly ["all", epoch: number]
  | readonly ["floor", epoch: number]
  | readonly ["tags", epoch: number, tags: ReadonlyArray<string>]

const write = (line: Line): string => {
  const text = JSON.stringify(line)
  return `${digestOf(text)} ${text}\n`
}

const read = (text: string): Line | undefined => {
  const at = text.indexOf(" ")
  const body = text.slice(at + 1)
  if (at < 0 || String(digestOf(body)) !== text.slice(0, at)) return undefined
  return JSON.parse(body) as Line // as it was written: the checksum says so
}

interface State {
  readonly incarnation: string
  readonly lasting: Lasting
  readonly ceiling: number
}

const fresh = (): State => ({
  incarnation: randomBytes(9).toString("base64url"),
  lasting: { outdatedBefore: 0, taggedFloor: 0, tags: [] },
  ceiling: 0
})

/** `undefined` if it is not whole, or of another generation. */
const parse = (text: string, generation: string): State | undefined => {
  const lines = text.split("\n")
  // what follows the last newline was cut off
  lines.pop()
  const [head, ...rest] = lines.map(read)
  if (head?.[0] !== "head" || head[1] !== generation) return undefined
  let [ceiling, outdatedBefore, taggedFloor] = [0, 0, 0]
  const tags = new Map<string, number>()
  for (const line of rest) {
    if (line === undefined) return undefined
    if (line[0] === "ceiling") ceiling = line[1]
    else if (line[0] === "all") {
      outdatedBefore = line[1]
      tags.clear()
    } else if (line[0] === "floor") taggedFloor = line[1]
    else if (line[0] === "tags") {
      for (const tag of line[2]) {
        tags.delete(tag)
        tags.set(tag, line[1])
      }
    }
  }
  return { incarnation: head[2], lasting: { outdatedBefore, taggedFloor, tags: [...tags] }, ceiling }
}

const fileName = "epochs"

/** The regions that have a folder with a journal in a store's directory. */
export const regions = (
  fs: FileSystem.FileSystem,
  directory: string
): Effect.Effect<ReadonlyArray<string>, CacheError.StoreError> => {
  const regionIn = (folder: string): Effect.Effect<ReadonlyArray<string>, PlatformError> =>
    fs.readFileString(path.join(directory, folder, fileName)).pipe(
      Effect.map((text) => {
        const head = read(text.slice(0, text.indexOf("\n")))
        return head?.[0] === "head" ? [head[3]] : []
      }),
      Effect.catchIf(Errors.isMissing, () => Effect.succeed([]))
    )
  return fs.readDirectory(directory).pipe(
    Effect.flatMap((names) => Effect.forEach(names.filter(Paths.isSafeName), regionIn)),
    Effect.mapBoth({ onSuccess: (all) => all.flat(), onFailure: Errors.ofOperation("regions") })
  )
}

export interface Journal {
  readonly incarnation: string
  readonly epochs: Epochs
  /** Before the counter is used beyond what the file says. */
  readonly ensureCeiling: Effect.Effect<void, CacheError.StoreError>
  readonly bumped: (tags: ReadonlyArray<string>, epoch: number) => Effect.Effect<void, CacheError.StoreError>
  readonly outdated: (epoch: number) => Effect.Effect<void, CacheError.StoreError>
}

export const open = (
  folder: string,
  options: { readonly region: string; readonly generation: string; readonly durable: boolean; readonly mode: number }
): Effect.Effect<Journal, CacheError.StoreError, FileSystem.FileSystem> =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const file = path.join(folder, fileName)
    const found = yield* Effect.orElseSucceed(fs.readFileString(file), () => "")
    const { ceiling: start, incarnation, lasting } = parse(found, options.generation) ?? fresh()
    const epochs = Epochs.from(lasting, start)
    const turns = yield* Effect.makeSemaphore(1)
    let ceiling = start
    let appended = 0

    const put = (name: string, text: string, flag: "w" | "a") =>
      Effect.scoped(
        Effect.flatMap(fs.open(name, { flag, mode: options.mode }), (handle) =>
          Effect.zipRight(handle.writeAll(new TextEncoder().encode(text)), options.durable ? handle.sync : Effect.void)
        )
      )
    const rewrite = Effect.suspend(() => {
      const next = epochs.now + stride
      const { outdatedBefore, taggedFloor, tags } = epochs.lasting
      const lines: ReadonlyArray<Line> = [
        ["head", options.generation, incarnation, options.region],
        ["ceiling", next],
        ["all", outdatedBefore],
        ["floor", taggedFloor],
        ...tags.map(([tag, epoch]): Line => ["tags", epoch, [tag]])
      ]
      return put(`${file}.tmp`, lines.map(write).join(""), "w").pipe(
        Effect.zipRight(fs.rename(`${file}.tmp`, file)),
        Effect.map(() => {
          ceiling = next
          appended = 0
        })
      )
    })
    const append = (line: Line) =>
      turns.withPermits(1)(Effect.suspend(() => (++appended > maxAppended ? rewrite : put(file, write(line), "a"))))
    yield* Effect.mapError(rewrite, Errors.ofOperation("open"))

    return {
      incarnation,
      epochs,
      // far enough ahead for all that may be under way
      ensureCeiling: Effect.suspend(() =>
        epochs.now + stride / 2 < ceiling
          ? Effect.void
          : Effect.mapError(turns.withPermits(1)(rewrite), Errors.ofOperation("set"))
      ),
      bumped: (tags, epoch) => Effect.mapError(append(["tags", epoch, tags]), Errors.ofOperation("invalidateTags")),
      outdated: (epoch) => Effect.mapError(append(["all", epoch]), Errors.ofOperation("invalidateAll"))
    }
  })
