/**
 * `npm run demo`: a few hundred questions about the places of the world, each of which takes milliseconds to answer,
 * cached in memory over a SQLite file. Run it twice.
 */
import { Cause, Clock, Effect, Exit, Layer, Logger, LogLevel, Option } from "effect"
import { CacheConfig, CacheStore, CacheTracing } from "effect-larder"
import { rmSync } from "node:fs"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { Atlas } from "./Atlas.js"
import { Around, coldMillis, loneliest, storeIn } from "./caches.js"
import { around, questions } from "./questions.js"
import { duration, progress, table } from "./report.js"

const usage = `npm run demo -- [options]

  --reload        ask everything anew, whatever is stored (a scoped override, CacheConfig.locally)
  --trace         afterwards, print the spans of one question, cold and warm
  --fresh         forget everything first
  --folder PATH   where the answers are kept (default: .demo)
  --help          this text
`

const readOptions = () => {
  const flag = { type: "boolean", default: false } as const
  const folder = { type: "string", default: ".demo" } as const
  return parseArgs({ options: { reload: flag, trace: flag, fresh: flag, help: flag, folder } }).values
}

const say = (text: string) => Effect.sync(() => console.log(text))

/** Asks everything, and answers how many questions in which time: the answering alone, not the reading of the map. */
const answerAll = Effect.gen(function* () {
  const groups = yield* questions
  const count = groups.flat().length
  const answered = yield* progress(count)
  const started = yield* Clock.currentTimeMillis
  yield* Effect.forEach(
    groups,
    (group) => Effect.forEach(group, (question) => Effect.flatMap(question, answered), { concurrency: "unbounded" }),
    { discard: true }
  )
  return { count, millis: (yield* Clock.currentTimeMillis) - started }
}).pipe(Effect.scoped)

const stats = Effect.all([Around.stats, loneliest.stats])
const sum = (numbers: ReadonlyArray<number>): number => numbers.reduce((all, one) => all + one, 0)

const run = (reload: boolean) =>
  Effect.gen(function* () {
    const { capabilities } = yield* CacheStore.CacheStore
    const { places } = yield* Atlas
    // the farthest tier holds what any other does
    const known = sum((yield* stats).map(({ tiers }) => tiers.at(-1)?.entries ?? 0))
    yield* say(
      known === 0
        ? `Nothing is known yet: each question is worked out by looking at ${places} places.\n`
        : `${known} answers are known from an earlier run.\n`
    )

    const { count, millis } = yield* reload ? answerAll.pipe(CacheConfig.locally({ mode: "reload" })) : answerAll

    const now = yield* stats
    yield* say(`\n${table(now)}\n`)
    const took = `${count} questions answered in ${duration(millis)}`
    const loads = sum(now.map((one) => one.loads))
    if (loads > 0) {
      if (known === 0) yield* coldMillis.set(millis)
      const next = capabilities.persistent
        ? "Run it again: it starts warm."
        : "Not kept, see above; --fresh makes a new file."
      return yield* say(`${took}, ${loads} of them worked out. ${next}`)
    }
    // without a whole cold run (it was killed half-way, say) there is what each answer has cost when it was worked out
    const cold = Option.getOrElse(yield* coldMillis.peek, () => sum(now.map((one) => one.savedMillis)))
    const times = Math.floor(cold / Math.max(1, millis))
    yield* say(`Warm start: ${took}, ${times} times faster than working them out (${duration(cold)}).`)
    yield* say("Next: `npm run demo -- --trace` shows what happens inside; examples/demo/caches.ts is all it takes.")
  })

/** One question that nothing is known about, and again: worked out, then found in memory. */
const trace = Effect.gen(function* () {
  const question = around("FR/Paris").pipe(Effect.withSpan("question"))
  yield* Around.invalidate("FR/Paris")
  for (const how of ["cold", "warm"]) {
    const [, spans] = yield* CacheTracing.collect(question)
    yield* say(`\n${how}:\n${CacheTracing.tree(spans)}`)
  }
})

const main = (values: ReturnType<typeof readOptions>) => {
  const filename = join(values.folder, "answers.db")
  if (values.fresh) for (const suffix of ["", "-wal", "-shm"]) rmSync(filename + suffix, { force: true })
  const Live = Around.layer.pipe(Layer.provideMerge(Layer.merge(storeIn(filename), Atlas.layer)))
  return Effect.zipRight(run(values.reload), values.trace ? trace : Effect.void).pipe(
    Effect.provide(Live),
    Logger.withMinimumLogLevel(LogLevel.Warning)
  )
}

/** Ctrl-C interrupts the program, which then ends in order: the bar gives the terminal back, the file is closed. */
const execute = async (program: Effect.Effect<void, unknown>): Promise<number> => {
  const abort = new AbortController()
  process.once("SIGINT", () => abort.abort())
  const exit = await Effect.runPromiseExit(program, { signal: abort.signal })
  if (Exit.isSuccess(exit)) return 0
  if (abort.signal.aborted) return 130
  console.error(Cause.pretty(exit.cause))
  return 1
}

const start = async (): Promise<number> => {
  let values: ReturnType<typeof readOptions>
  try {
    values = readOptions()
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n\n${usage}`)
    return 2
  }
  if (!values.help) return execute(main(values))
  console.log(usage)
  return 0
}

process.exitCode = await start()
