/** The store that a url leads to. */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as path from "node:path"
import { pathToFileURL } from "node:url"
import * as CacheError from "../CacheError.js"
import type * as CacheStore from "../CacheStore.js"
import * as Location from "../store/sqlite/location.js"
import { Usage } from "./errors.js"

type Failure = CacheError.InvalidConfig | CacheError.StoreUnavailable | CacheError.PathError | Usage
/** A Layer of a store, with all that may be wrong with it. */
export type Store = Layer.Layer<CacheStore.CacheStore, Failure, FileSystem.FileSystem>

/** The store that a person has named. */
export interface Wanted {
  readonly url: string
  /** Whether it is made if it is not there: looking at something makes nothing. */
  readonly create: boolean
}

/** With what is said about it: everything after the scheme, and the parameters. */
interface Place extends Wanted {
  readonly rest: string
  readonly parameters: URLSearchParams
}

type Open = (place: Place) => Effect.Effect<Store, Failure, FileSystem.FileSystem>

/** A url of each kind. */
export const examples = [
  "sqlite:./cache.db",
  "file:./cache",
  "redis://127.0.0.1:6379?prefix=larder",
  "postgres://user@127.0.0.1:5432/app",
  "memcached://127.0.0.1:11211",
  "s3://bucket/prefix?endpoint=http://127.0.0.1:9000",
  "memory:",
  "./store.js",
  "http://127.0.0.1:3001/caches"
] as const

const hint = `write it like one of: ${examples.join("  ")}`

const refused = (url: string, reason: string): Usage =>
  new Usage({ reason: `the store ${withoutPassword(url)} ${reason}`, hint })

/** Urls stand in errors and logs. Up to the last @: a password may have been written with one, or with a slash. */
export const withoutPassword = (url: string): string => url.replace(/(:\/\/[^/@:]*):.*@/, "$1:***@")

/** Leaves `//` away, which some write before a path. */
const pathOf = ({ rest }: Place): string => rest.replace(/^\/\/(?=[./])/, "")

const existing = (file: string, { create, url }: Wanted): Effect.Effect<string, Failure, FileSystem.FileSystem> =>
  Effect.flatMap(FileSystem.FileSystem, (fs) =>
    Effect.flatMap(
      Effect.orElseSucceed(fs.exists(file), () => false),
      (exists) =>
        exists || create
          ? Effect.succeed(file)
          : Effect.fail(
              new CacheError.StoreUnavailable({
                store: withoutPassword(url),
                reason: `there is no ${path.resolve(file)}`,
                hint: "name the store with --store or LARDER_STORE, as the program that caches has it"
              })
            )
    )
  )

/** The url again, without what only we understand. */
const without = ({ parameters, url }: Place, ...names: ReadonlyArray<string>): string => {
  const left = new URLSearchParams(parameters)
  for (const name of names) left.delete(name)
  const [start = ""] = url.split("?")
  return left.size === 0 ? start : `${start}?${left}`
}

const prefixIn = ({ parameters }: Place): { readonly prefix?: string } => {
  const prefix = parameters.get("prefix")
  return prefix === null ? {} : { prefix }
}

const imported = <A>(load: () => Promise<A>, use: (module: A) => Store): Effect.Effect<Store> =>
  Effect.map(Effect.promise(load), use)

const redis: Open = (place) =>
  imported(
    () => import("../store/RedisStore.js"),
    ({ layer }) => layer({ url: Redacted.make(without(place, "prefix")), ...prefixIn(place) })
  )
const postgres: Open = (place) =>
  imported(
    () => import("../store/PostgresStore.js"),
    ({ layer }) =>
      layer({
        url: Redacted.make(without(place, "prefix", "prepared")),
        ...prefixIn(place),
        prepared: place.parameters.get("prepared") !== "false"
      })
  )
const memcached: Open = (place) =>
  imported(
    () => import("../store/MemcachedStore.js"),
    ({ layer }) => layer({ url: Redacted.make(without(place, "prefix")), ...prefixIn(place) })
  )

const s3: Open = (place) => {
  const [bucket = "", ...folders] = place.rest.replace(/^\/\//, "").split("/")
  const endpoint = place.parameters.get("endpoint")
  const region = place.parameters.get("region")
  const prefix = folders.join("/")
  if (bucket === "") return Effect.fail(refused(place.url, "must name a bucket"))
  return imported(
    () => import("../store/ObjectStore.js"),
    ({ layer }) =>
      layer({
        bucket,
        ...(prefix === "" ? {} : { prefix }),
        ...(endpoint === null ? {} : { endpoint }),
        ...(region === null ? {} : { region })
      })
  )
}

const sqlite: Open = (place) =>
  Effect.gen(function* () {
    const given = pathOf(place)
    const filename = given === "" ? yield* Location.fileOf({}) : given
    const file = yield* existing(filename, place)
    return yield* imported(
      () => import("../store/SqliteStore.js"),
      ({ layer }) => layer({ filename: file })
    )
  })

const files: Open = (place) =>
  Effect.gen(function* () {
    const given = pathOf(place)
    if (given === "") return yield* refused(place.url, "must name a folder")
    const directory = yield* existing(given, place)
    return yield* imported(
      () => import("../store/FileStore.js"),
      ({ layer }) => layer({ directory })
    )
  })

/** What it can be asked for is asked over its routes; see program/. */
const program: Open = ({ url }) =>
  Effect.fail(
    new Usage({
      reason: `${withoutPassword(url).replace(/#.*/, "")} is a running program, and this command wants a store`,
      hint: "a program can be asked for: list, stats, inspect, explain, top, visualize, invalidate, clear"
    })
  )

const memory: Open = () =>
  imported(
    () => import("../store/MemoryStore.js"),
    ({ layer }) => layer()
  )

const schemes: ReadonlyMap<string, Open> = new Map(
  Object.entries({
    sqlite,
    file: files,
    redis,
    rediss: redis,
    postgres,
    postgresql: postgres,
    memcached,
    memcacheds: memcached,
    s3,
    memory,
    http: program,
    https: program
  })
)

/** Somebody's own: a module whose default export, or whose `layer`, is the Layer of a store. */
const plugin = ({ url }: Wanted): Effect.Effect<Store, Failure> =>
  Effect.flatMap(loaded(url), (module) => {
    const found = [module["default"], module["layer"]].find(Layer.isLayer)
    return found === undefined
      ? Effect.fail(refused(url, "exports no Layer, neither as default nor as layer"))
      : // what else it provides or fails with is its own business: errors of any kind are told
        Effect.succeed(found as Store)
  })

/** What a module of the user's exports. */
export const loaded = (file: string): Effect.Effect<Readonly<Record<string, unknown>>, CacheError.InvalidConfig> =>
  Effect.tryPromise({
    try: () => import(pathToFileURL(path.resolve(file)).href) as Promise<Readonly<Record<string, unknown>>>,
    catch: (cause) =>
      CacheError.invalidConfig([
        {
          field: "module",
          value: file,
          reason: `cannot be loaded: ${cause instanceof Error ? (cause.message.split("\n")[0] ?? "") : String(cause)}`,
          hint: "give the path of a module that this Node can import; TypeScript wants: node --import tsx"
        }
      ])
  })

const isModule = (url: string): boolean => /\.[cm]?[jt]s$/.test(url)

/** Finds the store's Layer; nothing is connected to before that is built. */
export const storeOf = (wanted: Wanted): Effect.Effect<Store, Failure, FileSystem.FileSystem> => {
  const { url } = wanted
  const scheme = /^([a-z0-9]+):/.exec(url)?.[1]
  const open = schemes.get(scheme ?? "")
  if (open === undefined || scheme === undefined) {
    return isModule(url) ? plugin(wanted) : Effect.fail(refused(url, "is no url of a store"))
  }
  const [start = "", query = ""] = url.slice(scheme.length + 1).split("?")
  return open({ ...wanted, rest: start, parameters: new URLSearchParams(query) })
}
