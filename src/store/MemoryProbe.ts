/**
 * How much memory the process uses, and how much it may: what a memory store under `memoryPressure` looks at.
 *
 * A service, so that a test, or a runtime that knows better, can put its own in place.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"

/**
 * One limit, and how much of it is used, in bytes.
 *
 * - `heap`: the JavaScript heap, and where the engine gives up;
 * - `container`: all memory of the process, and what the container (its cgroup) allows.
 *
 * @since 0.1.0
 * @category models
 */
export interface Reading {
  readonly kind: "heap" | "container"
  readonly used: number
  readonly limit: number
}

/**
 * Reads all limits that there are. None, where the runtime does not tell.
 *
 * @since 0.1.0
 * @category models
 */
export interface Service {
  readonly read: Effect.Effect<ReadonlyArray<Reading>>
}

interface HeapOfBrowser {
  readonly usedJSHeapSize: number
  readonly jsHeapSizeLimit: number
}

interface HeapSpace {
  readonly space_name: string
  readonly space_used_size: number
}

/** What is needed of `node:v8`. */
interface V8 {
  readonly getHeapStatistics?: () => { readonly heap_size_limit: number }
  readonly getHeapSpaceStatistics?: () => ReadonlyArray<HeapSpace>
}

/** What is needed of the host, each part of which may be missing. */
interface Host {
  readonly process?: {
    readonly memoryUsage?: () => { readonly heapUsed: number; readonly rss: number }
    readonly constrainedMemory?: () => number | undefined
    readonly getBuiltinModule?: (name: string) => V8 | undefined
  }
  readonly performance?: { readonly memory?: HeapOfBrowser }
}

/** A limit above this many bytes is how some systems say that there is none. */
const noLimit = 2 ** 50

type Process = NonNullable<Host["process"]>
type Usage = ReturnType<NonNullable<Process["memoryUsage"]>>

/**
 * V8 gives up when what is *old* reaches its limit. Its "heap_size_limit" has room for what is new in it as well: three
 * times 16 MiB, unless a flag says otherwise.
 */
const roomForNew = 3 * 2 ** 24

/**
 * Only what is old. That contains garbage, too, but never much: V8 collects at the latest when half of what was free
 * after the last collection is used up, so 90 % in use means that at least 80 % are.
 */
const oldUsed = (spaces: ReadonlyArray<HeapSpace>): number =>
  spaces.filter((space) => !space.space_name.startsWith("new")).reduce((sum, space) => sum + space.space_used_size, 0)

const heapReading = (process: Process, { heapUsed }: Usage): ReadonlyArray<Reading> => {
  const v8 = process.getBuiltinModule?.("node:v8")
  const limit = v8?.getHeapStatistics?.().heap_size_limit
  if (limit === undefined) return []
  const spaces = v8?.getHeapSpaceStatistics?.() ?? []
  return spaces.length === 0
    ? [{ kind: "heap", used: heapUsed, limit }]
    : [{ kind: "heap", used: oldUsed(spaces), limit: Math.max(limit / 2, limit - roomForNew) }]
}

const containerReading = (process: Process, { rss }: Usage): ReadonlyArray<Reading> => {
  const limit = process.constrainedMemory?.() ?? 0
  return limit > 0 && limit < noLimit ? [{ kind: "container", used: rss, limit }] : []
}

const browserReading = (heap: HeapOfBrowser | undefined): ReadonlyArray<Reading> =>
  heap === undefined ? [] : [{ kind: "heap", used: heap.usedJSHeapSize, limit: heap.jsHeapSizeLimit }]

const readings = ({ performance, process }: Host): ReadonlyArray<Reading> => {
  const usage = process?.memoryUsage?.()
  return process === undefined || usage === undefined
    ? browserReading(performance?.memory)
    : [...heapReading(process, usage), ...containerReading(process, usage)]
}

/**
 * The probe. By default it asks the runtime: Node, Bun and Deno tell heap and container, Chromium tells the heap.
 *
 * @example
 * ```ts
 * import * as MemoryProbe from "effect-larder/MemoryProbe"
 * import { Effect } from "effect"
 *
 * const nearlyFull: MemoryProbe.Reading = { kind: "heap", used: 95, limit: 100 }
 *
 * // for a test: as if there were hardly any memory left
 * export const underPressure = Effect.provideService(MemoryProbe.MemoryProbe, { read: Effect.succeed([nearlyFull]) })
 * ```
 *
 * @since 0.1.0
 * @category references
 */
export class MemoryProbe extends Context.Reference<MemoryProbe>()("effect-larder/MemoryProbe", {
  defaultValue: (): Service => ({ read: Effect.sync(() => readings(globalThis as Host)) })
}) {}
