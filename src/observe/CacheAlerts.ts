/**
 * Warnings before it hurts: rules over what caches did in the last while, told once when they begin to be broken and once
 * when they hold again.
 *
 * A rule looks at each cache of the registry (`CacheStats.layer`, `CacheMetrics.layer`) every so often, at what happened
 * since it looked last. It is raised when its limit was passed several times in a row, and cleared when a value that is
 * better than the limit by a margin was seen as often: a number that goes up and down around the limit raises it once.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as LogLevel from "effect/LogLevel"
import * as Metric from "effect/Metric"
import * as PubSub from "effect/PubSub"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type * as CacheError from "../CacheError.js"
import * as Check from "../internal/options.js"
import { steadyMillis } from "../internal/steady.js"
import { tell } from "../internal/tell.js"
import * as CacheStats from "./CacheStats.js"

/**
 * A rule was broken for long enough (`"raised"`), or holds again (`"cleared"`).
 *
 * @since 0.1.0
 * @category models
 */
export class Alert extends Schema.Class<Alert>("effect-larder/CacheAlerts/Alert")({
  rule: Schema.String,
  cache: Schema.String,
  status: Schema.Literal("raised", "cleared"),
  /** What was measured, and what the limit is. */
  value: Schema.Number,
  limit: Schema.Number,
  /** Milliseconds since the epoch. */
  at: Schema.Number
}) {
  /**
   * For people.
   *
   * @since 0.1.0
   */
  get message(): string {
    const told = this.status === "raised" ? "passed" : "is within"
    return `cache '${this.cache}' ${told} the limit of ${this.rule}: ${this.value} (limit ${this.limit})`
  }
}

/**
 * What is looked at, and what of it is too much, or too little.
 *
 * @since 0.1.0
 * @category models
 */
export interface Rule {
  readonly name: string
  /** Of what a cache did since it was looked at last; `undefined` where that is too little to tell anything. */
  readonly measure: (stats: CacheStats.CacheStats) => number | undefined
  readonly limit: number
  /** On which side of the limit it is bad. */
  readonly bad: "above" | "below"
  /** What is so good that it is over: a tenth of the limit away from it, unless it is said. */
  readonly clearAt?: number | undefined
  /** The caches that it is for. Default: all. */
  readonly caches?: ReadonlyArray<string> | undefined
}

/**
 * What the rules that are made here have in common.
 *
 * @since 0.1.0
 * @category models
 */
export interface RuleOptions {
  /** Default: a tenth of the limit on its good side. */
  readonly clearAt?: number | undefined
  /** The caches that it is for. Default: all. */
  readonly caches?: ReadonlyArray<string> | undefined
  /** With fewer gets, or loads, nothing is told. Default: 20. */
  readonly atLeast?: number | undefined
}

const few = 20

/**
 * Fewer hits among hits and misses than this part, from 0 to 1.
 *
 * @since 0.1.0
 * @category rules
 */
export const hitRatioBelow = (limit: number, { atLeast = few, ...rest }: RuleOptions = {}): Rule => ({
  name: "hit_ratio",
  measure: (stats) => (stats.hits + stats.misses < atLeast ? undefined : stats.hitRatio),
  limit,
  bad: "below",
  ...rest
})

/**
 * More failed lookups among all lookups than this part, from 0 to 1.
 *
 * @since 0.1.0
 * @category rules
 */
export const failuresAbove = (limit: number, { atLeast = few, ...rest }: RuleOptions = {}): Rule => ({
  name: "load_failures",
  measure: (stats) => (stats.loads < atLeast ? undefined : stats.loadFailures / stats.loads),
  limit,
  bad: "above",
  ...rest
})

/**
 * Lookups of which a part (by default 0.95) takes at most longer than this.
 *
 * @since 0.1.0
 * @category rules
 */
export const loadTimeAbove = (
  limit: Duration.DurationInput,
  { atLeast = few, percentile = 0.95, ...rest }: RuleOptions & { readonly percentile?: number | undefined } = {}
): Rule => ({
  name: "load_time",
  measure: (stats) => (stats.loads < atLeast ? undefined : stats.loadPercentile(percentile)),
  limit: Duration.toMillis(limit),
  bad: "above",
  ...rest
})

/**
 * More failures of the store than this that gets went on without, in the time between two looks.
 *
 * @since 0.1.0
 * @category rules
 */
export const storeFailuresAbove = (limit: number, options: Omit<RuleOptions, "atLeast"> = {}): Rule => ({
  name: "store_failures",
  measure: (stats) => stats.storeFailures,
  limit,
  bad: "above",
  ...options
})

/**
 * More bytes than this in the fullest tier.
 *
 * @since 0.1.0
 * @category rules
 */
export const bytesAbove = (limit: number, options: Omit<RuleOptions, "atLeast"> = {}): Rule => ({
  name: "bytes",
  measure: (stats) => Math.max(0, ...stats.tiers.map(({ bytes }) => bytes)),
  limit,
  bad: "above",
  ...options
})

/**
 * How often it is looked, and how sure one wants to be.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** Default: 10 seconds. */
  readonly every?: Duration.DurationInput | undefined
  /** How many times in a row it has to be bad before it is told, and good before it is over. Default: 2. */
  readonly after?: number | undefined
}

/** How a rule stands with a cache. */
interface Standing {
  readonly isRaised: boolean
  /** How many times in a row it was seen to be otherwise. */
  readonly otherwise: number
}

const calm: Standing = { isRaised: false, otherwise: 0 }

const isBad = ({ bad, limit }: Rule, value: number): boolean => (bad === "above" ? value > limit : value < limit)

const isOver = ({ bad, clearAt, limit }: Rule, value: number): boolean => {
  const margin = Math.abs(limit) / 10
  return bad === "above" ? value <= (clearAt ?? limit - margin) : value >= (clearAt ?? limit + margin)
}

/** One look. */
const step = (rule: Rule, standing: Standing, value: number, after: number): Standing => {
  const isOtherwise = standing.isRaised ? isOver(rule, value) : isBad(rule, value)
  const otherwise = isOtherwise ? standing.otherwise + 1 : 0
  return otherwise < after ? { ...standing, otherwise } : { isRaised: !standing.isRaised, otherwise: 0 }
}

/** What was last seen of each cache, and how each rule stands with it. */
class Watch {
  private readonly seen = new WeakMap<CacheStats.Registered, CacheStats.CacheStats>()
  private readonly standings = new WeakMap<CacheStats.Registered, Map<Rule, Standing>>()

  constructor(
    private readonly rules: ReadonlyArray<Rule>,
    private readonly after: number
  ) {}

  /** What has changed since the last look. The first one only looks. */
  readonly look: Effect.Effect<ReadonlyArray<Alert>> = Effect.gen(this, function* () {
    const { caches } = yield* CacheStats.Registry
    const at = yield* steadyMillis
    const alerts = yield* Effect.forEach(yield* caches, (cache) =>
      Effect.map(cache.stats, (now) => this.judge(cache, now, at))
    )
    return alerts.flat()
  })

  private judge(cache: CacheStats.Registered, now: CacheStats.CacheStats, at: number): ReadonlyArray<Alert> {
    const before = this.seen.get(cache)
    this.seen.set(cache, now)
    if (before === undefined) return []
    const between = CacheStats.diff(now, before)
    const standings = this.standings.get(cache) ?? new Map<Rule, Standing>()
    this.standings.set(cache, standings)
    return this.rules.flatMap((rule) => {
      if (rule.caches?.includes(cache.name) === false) return []
      const value = rule.measure(between)
      const standing = standings.get(rule) ?? calm
      if (value === undefined) return []
      const next = step(rule, standing, value, this.after)
      standings.set(rule, next)
      if (next.isRaised === standing.isRaised) return []
      const status = next.isRaised ? "raised" : "cleared"
      return [new Alert({ rule: rule.name, cache: cache.name, status, value, limit: rule.limit, at })]
    })
  }
}

const finite: Check.Check = (value) =>
  typeof value === "number" && Number.isFinite(value)
    ? undefined
    : { reason: "must be a finite number", hint: "give the limit as a number" }

const checked = (
  rules: ReadonlyArray<Rule>,
  { after = 2, every = "10 seconds" }: Options
): Effect.Effect<{ readonly every: Duration.DurationInput; readonly watch: Watch }, CacheError.InvalidConfig> =>
  Effect.gen(function* () {
    yield* Check.check({ after, every }, { after: Check.positiveInteger, every: Check.positiveDuration })
    for (const { clearAt, limit, name } of rules) {
      yield* Check.check(
        { [`${name}.limit`]: limit, [`${name}.clearAt`]: clearAt ?? 0 },
        { [`${name}.limit`]: finite, [`${name}.clearAt`]: finite }
      )
    }
    return { every, watch: new Watch(rules, after) }
  })

/**
 * The alerts of rules over the caches of the registry in force, as they come. Looks only while somebody reads it.
 *
 * @example
 * ```ts
 * import { CacheAlerts } from "effect-larder"
 * import { Effect, Stream } from "effect"
 *
 * // in the program's scope: whatever is raised or cleared is sent to somebody
 * export const paging = CacheAlerts.changes([
 *   CacheAlerts.hitRatioBelow(0.8),
 *   CacheAlerts.loadTimeAbove("500 millis", { caches: ["prices"] })
 * ]).pipe(
 *   Stream.runForEach((alert) => Effect.log(alert.message)),
 *   Effect.forkScoped
 * )
 * ```
 *
 * @since 0.1.0
 * @category streams
 */
export const changes = (
  rules: ReadonlyArray<Rule>,
  options: Options = {}
): Stream.Stream<Alert, CacheError.InvalidConfig> =>
  Stream.unwrap(
    Effect.map(checked(rules, options), ({ every, watch }) =>
      Stream.flattenIterables(Stream.repeatEffectWithSchedule(watch.look, Schedule.spaced(every)))
    )
  )

/**
 * The alerts of a program, for whoever wants to hear them: the last 256 are kept for who is slow.
 *
 * @since 0.1.0
 * @category tags
 */
export class CacheAlerts extends Context.Tag("effect-larder/CacheAlerts")<
  CacheAlerts,
  { readonly changes: Stream.Stream<Alert> }
>() {}

const active = Metric.gauge("cache_alert_active", { description: "Whether a rule is broken by a cache: 1, or 0." })

const heard = (alert: Alert): Effect.Effect<void> =>
  Effect.zipRight(
    Metric.set(
      active.pipe(Metric.tagged("rule", alert.rule), Metric.tagged("cache", alert.cache)),
      alert.status === "raised" ? 1 : 0
    ),
    tell({
      level: alert.status === "raised" ? LogLevel.Warning : LogLevel.Info,
      message: alert.message,
      about: { cache: alert.cache, rule: alert.rule }
    })
  )

/**
 * Keeps watch as long as the Layer lives: alerts are logged (a warning when raised, an information when cleared), are in the
 * metric `cache_alert_active` with the labels `rule` and `cache`, and are told to whoever listens to `CacheAlerts`. Rules
 * and options are checked when the Layer is built: `InvalidConfig`.
 *
 * @example
 * ```ts
 * import { CacheAlerts, CacheMetrics } from "effect-larder"
 * import { Layer } from "effect"
 *
 * export const Watch = CacheAlerts.layer([CacheAlerts.hitRatioBelow(0.8), CacheAlerts.failuresAbove(0.05)]).pipe(
 *   Layer.provideMerge(CacheMetrics.layer())
 * )
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (
  rules: ReadonlyArray<Rule>,
  options: Options = {}
): Layer.Layer<CacheAlerts, CacheError.InvalidConfig> =>
  Layer.scoped(
    CacheAlerts,
    Effect.gen(function* () {
      const { every, watch } = yield* checked(rules, options)
      const hub = yield* Effect.acquireRelease(PubSub.sliding<Alert>(256), PubSub.shutdown)
      const look = Effect.flatMap(watch.look, (alerts) =>
        Effect.forEach(alerts, (alert) => Effect.zipRight(heard(alert), PubSub.publish(hub, alert)), { discard: true })
      )
      yield* Effect.forkScoped(Effect.repeat(look, Schedule.spaced(every)))
      return { changes: Stream.fromPubSub(hub) }
    })
  )
