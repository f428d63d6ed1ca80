/** Commands that run a program, or a workload. */
import * as Args from "@effect/cli/Args"
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Effect from "effect/Effect"
import { storeOf } from "../attached.js"
import * as Benchmark from "../commands/benchmark.js"
import * as Running from "../commands/running.js"

import { about, common, here, json, under } from "./shared.js"

const program = Args.text({ name: "module" }).pipe(
  Args.withDescription("A module whose default export is an Effect, which may use CacheStore and a Scope.")
)

const warm = Command.make("warm", { ...common, program }, (options) =>
  under(options, Running.warm(options.program))
).pipe(
  Command.withDescription(
    about("Runs a program that fills caches, over a store.", "warm ./warm.js --store sqlite:./cache.db")
  )
)

/** What is only tried needs no store that lasts. */
const anyStore = Options.text("store").pipe(
  Options.withDescription("The store that it runs over."),
  Options.withDefault("memory:")
)

const profile = Command.make(
  "profile",
  {
    ...common,
    store: anyStore,
    program,
    out: Options.text("out").pipe(
      Options.withDescription("The file of the profile."),
      Options.withDefault("larder.cpuprofile")
    )
  },
  (options) => under(options, Running.profile({ file: options.program, out: options.out }))
).pipe(
  Command.withDescription(
    about("Runs a program, tells the cost of each cache, and writes a V8 CPU profile.", "profile ./job.js")
  )
)

const analyze = Command.make(
  "analyze",
  {
    ...common,
    store: anyStore,
    program
  },
  (options) => under(options, Running.analyze(options.program))
).pipe(
  Command.withDescription(
    about("Runs a program, and tells how the keys of its caches are used and what could be better.", "analyze ./job.js")
  )
)

const benchmark = Command.make(
  "benchmark",
  {
    json,
    stores: Args.text({ name: "url" }).pipe(
      Args.withDescription("Stores to compare; without any: memory."),
      Args.repeated
    ),
    entries: Options.integer("entries").pipe(
      Options.withDescription("How many entries it works with."),
      Options.withDefault(1_000)
    )
  },
  ({ entries, json, stores }) =>
    here(
      { json },
      Effect.flatMap(
        Effect.forEach(stores.length === 0 ? ["memory:"] : stores, (url) =>
          Effect.provide(Benchmark.workload(Math.max(1, entries)), storeOf({ url, create: true }))
        ),
        Benchmark.report
      )
    )
).pipe(
  Command.withDescription(
    about(
      "Measures the same workload over stores, on this machine.",
      "benchmark memory: sqlite:./try.db redis://127.0.0.1"
    )
  )
)

export const commands = [warm, profile, analyze, benchmark] as const
