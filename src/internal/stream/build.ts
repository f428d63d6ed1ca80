/** From the options that a program gives to the cache of streams that it holds in its hand. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type * as Cache from "../../Cache.js"
import * as CacheConfig from "../../CacheConfig.js"
import type * as CacheError from "../../CacheError.js"
import * as CacheStore from "../../CacheStore.js"
import type * as CacheStream from "../../CacheStream.js"
import * as Envelope from "../../codec/Envelope.js"
import * as CacheEvents from "../../observe/CacheEvents.js"
import { coreOf, make as makeCache } from "../cache/build.js"
import { checks as cacheChecks } from "../cache/options.js"
import { StoreGuard } from "../cache/storeGuard.js"
import * as Check from "../options.js"
import { type Chunk, codec, Manifest } from "./chunk.js"
import { Chunks } from "./chunks.js"
import { read } from "./reader.js"
import { type Cut, type Loaded, Streams } from "./streams.js"

const TypeId: CacheStream.TypeId = "~effect-larder/CacheStream"

const defaultChunkBytes = 256 * 1024
/** The largest that an entry can be on every store that is there, and then some. */
const maxChunkBytes = 2 ** 30
const defaultMargin = "1 hour"

const chunkBytes: Check.Check = (value) =>
  Check.positiveInteger(value) ??
  (Number(value) <= maxChunkBytes
    ? undefined
    : { reason: `must be at most ${maxChunkBytes}`, hint: `use some hundred kilobytes, such as ${defaultChunkBytes}` })

const { jitter, key, lookup, staleIfError, staleWhileRevalidate, tags, timeToLive, when } = cacheChecks
const checks = {
  ...{ jitter, key, lookup, staleIfError, staleWhileRevalidate, tags, timeToLive, when },
  loadDeadline: Check.positiveDuration,
  margin: Check.duration,
  maxBytes: Check.positiveInteger,
  chunkBytes
}

/** Which Schema goes with which key is seen to by the public types. */
export interface Options<K, E, R> extends Omit<CacheStream.Options<K, E, R>, "key"> {
  readonly key?: Schema.Schema.AnyNoContext | undefined
}

const cutOf = <K, E, R>(options: Options<K, E, R>, config: CacheConfig.CacheConfig): Cut<K> => {
  const { timeToLive } = options
  const common = Duration.toMillis(config.timeToLive)
  const fixed = typeof timeToLive === "function" || timeToLive === undefined ? common : Check.millisOf(timeToLive)
  return {
    chunkBytes: options.chunkBytes ?? defaultChunkBytes,
    maxBytes: options.maxBytes ?? Infinity,
    loadDeadline: Check.millisOf(options.loadDeadline ?? config.loadDeadline),
    margin: Check.millisOf(options.margin ?? defaultMargin),
    timeToLive: typeof timeToLive === "function" ? (key) => Check.durationOf(timeToLive(key)) : () => fixed
  }
}

const setChecks = { timeToLive: Check.duration, tags: Check.tagList }

/** What a key is refused with is in `E`, where the type says that it can be: see `CacheKey.ErrorOf`. */
const toCacheStream = <K, E, R>(streams: Streams<K, E, R>): CacheStream.CacheStream<K, E> => {
  const { cache, chunks } = streams
  return {
    [TypeId]: TypeId,
    name: streams.name,
    get: (key) => read(streams, key, undefined) as ReturnType<CacheStream.CacheStream<K, E>["get"]>,
    refresh: (key) => read(streams, key, "reload") as ReturnType<CacheStream.CacheStream<K, E>["get"]>,
    info: (key) =>
      Effect.map(
        cache.getOption(key),
        Option.map(({ bytes }) => ({ bytes }))
      ) as ReturnType<CacheStream.CacheStream<K, E>["info"]>,
    set: (key, source, options) =>
      Effect.zipRight(
        Check.check(options ?? {}, setChecks),
        Effect.suspend(() => {
          const timeToLive = options?.timeToLive === undefined ? undefined : Check.millisOf(options.timeToLive)
          return streams.set(key, source, options, timeToLive)
        })
      ),
    invalidate: (key) => streams.invalidate(key),
    invalidateTags: (tags) => cache.invalidateTags(tags),
    invalidateAll: cache.invalidateAll,
    clear: Effect.zipLeft(cache.clear, chunks.clear),
    stats: cache.stats
  }
}

export const make = <K, E, R>(
  name: string,
  options: Options<K, E, R>
): Effect.Effect<
  CacheStream.CacheStream<K, E>,
  CacheError.InvalidConfig | CacheError.StoreFailure,
  CacheStore.CacheStore | R | Scope.Scope
> =>
  Effect.gen(function* () {
    yield* Check.check({ ...options, name, lookup: options.lookup }, { name: Check.regionName, ...checks }, [
      "name",
      "lookup"
    ])
    const store = yield* CacheStore.CacheStore
    const scope = yield* Effect.scope
    const cut = cutOf(options, yield* CacheConfig.Current)
    // before the cache, so that its loads are brought down while this is open
    const region = yield* store.region<Chunk, never>({
      name: `${name}/chunks`,
      codec: Envelope.make({ success: codec })
    })
    const { tags } = options
    const cache: Cache.Cache<K, Manifest, Loaded<E>> = yield* makeCache<K, Manifest, Loaded<E>, never>(name, {
      key: options.key,
      success: Manifest,
      // a cache captures the context that it is built in, and with it what the sources require
      lookup: (key) => streams.load(key) as Effect.Effect<Manifest, Loaded<E>>,
      timeToLive: (_, key) => cut.timeToLive(key),
      jitter: options.jitter,
      staleWhileRevalidate: options.staleWhileRevalidate,
      staleIfError: options.staleIfError,
      tags: typeof tags === "function" ? (_, key) => tags(key) : tags,
      when: options.when,
      // what may take no longer is each silence of a source, not the whole of it
      loadDeadline: Infinity,
      waitFresh: Infinity
    })
    // what was just made has its machinery
    const core = coreOf(cache)!
    const events = yield* CacheEvents.CacheEvents
    const guard = new StoreGuard<Chunk, never>(
      { name, store: store.name, region, events, strict: false },
      core.counters
    )
    const streams: Streams<K, E, R> = new Streams<K, E, R>(cache, core, {
      source: options.lookup,
      cut,
      chunks: new Chunks(region, guard),
      guard,
      scope
    })
    return toCacheStream(streams)
  })
