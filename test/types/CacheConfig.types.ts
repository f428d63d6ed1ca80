/** What `tsc` must infer, and what it must refuse. Never run. */
import type { Duration, Layer } from "effect"
import { Effect } from "effect"
import type { CacheError } from "effect-larder"
import { CacheConfig } from "effect-larder"

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const same = <A, B>(_: Same<A, B>): void => undefined

interface Db {
  readonly _: unique symbol
}
class Refused {
  readonly _tag = "Refused"
}
declare const effect: Effect.Effect<number, Refused, Db>

// the channel is left alone where nothing can be added to it
const quiet = effect.pipe(
  CacheConfig.locally({ mode: "reload", timeToLive: "600 seconds", waitStale: 5, traceHits: true, tags: ["a"] })
)
same<typeof quiet, Effect.Effect<number, Refused, Db>>(true)
const nothing = CacheConfig.locally(effect, {})
same<typeof nothing, Effect.Effect<number, Refused, Db>>(true)
const absent = CacheConfig.locally(effect, { mode: undefined, loadDeadline: undefined })
same<typeof absent, Effect.Effect<number, Refused, Db>>(true)

// only-if-cached, and a mode that may be it
const only = CacheConfig.locally(effect, { mode: "only-if-cached" })
same<typeof only, Effect.Effect<number, Refused | CacheError.NotCached, Db>>(true)
declare const mode: CacheConfig.Mode
const wide = effect.pipe(CacheConfig.locally({ mode }))
same<typeof wide, Effect.Effect<number, Refused | CacheError.NotCached, Db>>(true)
declare const narrow: "reload" | "no-cache"
const narrowed = effect.pipe(CacheConfig.locally({ mode: narrow }))
same<typeof narrowed, Effect.Effect<number, Refused, Db>>(true)

// a deadline of its own
const waiting = CacheConfig.locally(effect, { waitFresh: "1 second" })
same<typeof waiting, Effect.Effect<number, Refused | CacheError.LoadTimeout, Db>>(true)
declare const maybe: Duration.DurationInput | undefined
const loading = effect.pipe(CacheConfig.locally({ loadDeadline: maybe }))
same<typeof loading, Effect.Effect<number, Refused | CacheError.LoadTimeout, Db>>(true)

// options of which nothing is known may be all of it, in both forms
declare const options: CacheConfig.LocalOptions
const any = effect.pipe(CacheConfig.locally(options))
same<typeof any, Effect.Effect<number, Refused | CacheError.NotCached | CacheError.LoadTimeout, Db>>(true)
const anyFirst = CacheConfig.locally(effect, options)
same<typeof anyFirst, typeof any>(true)

// @ts-expect-error a misspelt option, also beside a right one
CacheConfig.locally({ mode: "reload", ttl: "1 second" })
// @ts-expect-error the same with the effect first
CacheConfig.locally(effect, { mode: "reload", ttl: "1 second" })
// @ts-expect-error not a mode
CacheConfig.locally({ mode: "fresh" })
// @ts-expect-error not a duration
CacheConfig.locally({ timeToLive: "soon" })
// @ts-expect-error no call site can change how much a store keeps
CacheConfig.locally({ maxEntries: 5 })

// reading the settings needs nothing
same<Effect.Effect.Context<typeof CacheConfig.Current>, never>(true)
const life = Effect.map(CacheConfig.Current, (config) => config.timeToLive)
same<typeof life, Effect.Effect<Duration.Duration>>(true)

const configured = CacheConfig.layer({
  capacity: 5,
  maxBytes: "Infinity",
  timeToLive: "Infinity",
  directory: undefined
})
same<typeof configured, Layer.Layer<CacheConfig.Current, CacheError.InvalidConfig>>(true)
// @ts-expect-error a misspelt option
CacheConfig.layer({ ttl: 5 })
// @ts-expect-error not a whole option
CacheConfig.layer({ filePermissions: "public" })

const piped = CacheConfig.empty.pipe(CacheConfig.set("maxEntries", 5), CacheConfig.set("mode", "reload"))
same<typeof piped, CacheConfig.Patch>(true)
// @ts-expect-error the value of another option
CacheConfig.set("maxEntries", "5 minutes")

declare const config: CacheConfig.CacheConfig
// @ts-expect-error immutable
config.maxEntries = 5
