/** Whoever takes part: a raw client, our engine, our cache, a peer. All are asked for the same, in the way that each has. */
import { Cache, type CacheEntry, CacheStore } from "effect-larder"
import type * as Codec from "effect-larder/Codec"
import { Context, Effect, Either, Exit, Runtime, Schema, type Scope } from "effect"
import type { Subject } from "../measure.js"
import { inFiber } from "../suite.js"
import { timeToLive, type Entry, type Workload } from "./workload.js"

/** What is measured. Whatever it is, the figures are those of one key. */
export const operations = {
  get: "a get",
  set: "a set",
  atOnce: "gets at once",
  inTurns: "fibers that get",
  getMany: "a batch of gets",
  setMany: "a batch of sets"
} as const
export type Operation = keyof typeof operations

/** `raw`: what the others stand on. `own`: ours. `peer`: what ours has to be ahead of. */
export type Role = "raw" | "own" | "peer"

export interface Contender {
  readonly name: string
  readonly role: Role
  /** Gives every key its value. */
  readonly seed: () => Promise<unknown>
  /** A key's value, to see that it is one. */
  readonly probe: () => Promise<unknown>
  readonly runs: Readonly<Partial<Record<Operation, Subject["run"]>>>
}

/** What a client that speaks in promises can do. */
export interface Client<A> {
  readonly get: (key: string) => Promise<unknown>
  readonly set: (key: string, value: A) => Promise<unknown>
  readonly getMany?: ((keys: ReadonlyArray<string>) => Promise<unknown>) | undefined
  /** Without it: all sets at once. */
  readonly setMany?: ((entries: ReadonlyArray<Entry<A>>) => Promise<unknown>) | undefined
}

const each =
  <B>(next: () => B, run: (given: B) => Promise<unknown>, size = 1): Subject["run"] =>
  async (times) => {
    for (let done = 0; done < times; done += size) await run(next())
  }

/** Many that go on side by side, each with one after the other. */
const inTurns =
  (next: () => string, get: (key: string) => Promise<unknown>, many: number): Subject["run"] =>
  (times) =>
    Promise.all(Array.from({ length: many }, () => each(() => next(), get)(times / many))).then(() => {})

export const promised = <A>(
  name: string,
  role: Role,
  { all, entries, many, one, size, value }: Workload<A>,
  { get, getMany, set, setMany = (some) => Promise.all(some.map(([key, value]) => set(key, value))) }: Client<A>
): Contender => ({
  name,
  role,
  seed: () => setMany(all),
  probe: () => get(all[0]![0]),
  runs: {
    get: each(one(), get),
    set: each(one(), (key) => set(key, value)),
    atOnce: each(many(), (some) => Promise.all(some.map(get)), size.gets),
    inTurns: inTurns(one(), get, size.gets),
    ...(getMany === undefined ? {} : { getMany: each(many(), getMany, size.gets) }),
    setMany: each(entries(), setMany, size.sets)
  }
})

/** A client that has its answer when it returns: many at once are no other than one after the other. */
export const direct = <A>(
  name: string,
  { all, entries, one, size, value }: Workload<A>,
  client: {
    readonly get: (key: string) => unknown
    readonly set: (key: string, value: A) => unknown
    readonly setMany: (entries: ReadonlyArray<Entry<A>>) => unknown
  }
): Contender => {
  const gets = () => {
    const next = one()
    return (times: number) => {
      for (let done = 0; done < times; done++) client.get(next())
    }
  }
  const [next, some] = [one(), entries()]
  return {
    name,
    role: "raw",
    seed: async () => client.setMany(all),
    probe: async () => client.get(all[0]![0]),
    runs: {
      get: gets(),
      set: (times) => {
        for (let done = 0; done < times; done++) client.set(next(), value)
      },
      atOnce: gets(),
      inTurns: gets(),
      getMany: gets(),
      setMany: (times) => {
        for (let done = 0; done < times; done += size.sets) client.setMany(some())
      }
    }
  }
}

/** Each in a fiber of its own. */
const inFibers = <R>(
  runtime: Runtime.Runtime<R>,
  keys: ReadonlyArray<string>,
  get: (key: string) => Effect.Effect<unknown, unknown, R>
): Promise<void> =>
  new Promise((resolve, reject) => {
    const fork = Runtime.runFork(runtime)
    let left = keys.length
    for (const key of keys) {
      fork(get(key)).addObserver((exit) => {
        if (exit._tag === "Failure") reject(new Error(String(exit.cause)))
        else if (--left === 0) resolve()
      })
    }
  })

/** Ours, asked for everything inside fibers. */
export const effectful = <A, R>(
  name: string,
  runtime: Runtime.Runtime<R>,
  { all, entries, many, one, size, value }: Workload<A>,
  client: {
    readonly get: (key: string) => Effect.Effect<unknown, unknown, R>
    readonly set: (key: string, value: A) => Effect.Effect<unknown, unknown, R>
    readonly getMany: (keys: ReadonlyArray<string>) => Effect.Effect<unknown, unknown, R>
    readonly setMany: (entries: ReadonlyArray<Entry<A>>) => Effect.Effect<unknown, unknown, R>
  }
): Contender => {
  const run = Runtime.runPromise(runtime)
  const [toGet, toSet] = [one(), one()]
  const { run: getOn } = inFiber(runtime, name, () => client.get(toGet()))
  return {
    name,
    role: "own",
    seed: () => run(client.setMany(all)),
    probe: () => run(client.get(all[0]![0])),
    runs: {
      get: getOn,
      set: inFiber(runtime, name, () => client.set(toSet(), value)).run,
      atOnce: each(many(), (some) => inFibers(runtime, some, client.get), size.gets),
      inTurns: (times) => Promise.all(Array.from({ length: size.gets }, () => getOn(times / size.gets))).then(() => {}),
      getMany: each(many(), (some) => run(client.getMany(some)), size.gets),
      setMany: each(entries(), (some) => run(client.setMany(some)), size.sets)
    }
  }
}

export const engineName = "larder, the engine"

const entryOf = (bytes: Uint8Array): CacheEntry.CacheEntry<Uint8Array, never> => ({
  exit: Exit.succeed(bytes),
  createdAt: 0,
  freshUntil: Infinity,
  staleUntil: Infinity,
  tags: [],
  loadMillis: 0,
  keyText: undefined
})

/** What a value is stored as where nobody looks into it. */
const opaque: Codec.EntryCodec<Uint8Array, never> = {
  name: "Opaque",
  fingerprint: "opaque",
  encode: ({ exit }) => Either.right(Exit.isSuccess(exit) ? exit.value : new Uint8Array(0)),
  decode: (bytes) => Either.right(entryOf(bytes))
}

/** A store without a cache: bytes in and out, and nothing that gathers what is asked at once. */
export const engine = (
  store: Context.Context<CacheStore.CacheStore>,
  workload: Workload<string>
): Effect.Effect<Contender, unknown, Scope.Scope> =>
  Effect.gen(function* () {
    const region = yield* Context.get(store, CacheStore.CacheStore).region({ name: "engine", codec: opaque })
    const entry = entryOf(new TextEncoder().encode(workload.value))
    const write = (key: string) => ({ key, entry, since: undefined })
    const contender = effectful(engineName, yield* Effect.runtime<never>(), workload, {
      get: (key) => region.getMany([key]),
      set: (key) => region.setMany([write(key)]),
      getMany: (keys) => region.getMany(keys),
      setMany: (entries) => region.setMany(entries.map(([key]) => write(key)))
    })
    const { get, getMany, set, setMany } = contender.runs
    return { ...contender, runs: { get, set, getMany, setMany } as Contender["runs"] }
  })

/** A cache over a store. It decodes by its Schema; a value that is not there is none that a benchmark is about. */
export const cache = <A, I>(
  name: string,
  store: Context.Context<CacheStore.CacheStore>,
  success: Schema.Schema<A, I>,
  workload: Workload<A>
) =>
  Effect.gen(function* () {
    const cache = yield* Cache.make(name, {
      key: Schema.String,
      success,
      timeToLive,
      lookup: (key) => Effect.dieMessage(`${key} was not there`)
    })
    return effectful(name, yield* Effect.runtime<never>(), workload, cache)
  }).pipe(Effect.provide(store))
