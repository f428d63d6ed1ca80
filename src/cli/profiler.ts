/** V8's sampling profiler around an effect. */
import * as Effect from "effect/Effect"
import { writeFile } from "node:fs/promises"
import { Session } from "node:inspector/promises"
import * as CacheError from "../CacheError.js"

/** Runs the effect, and writes what the processor did meanwhile into a file, also if it fails. */
export const profiled = <A, E, R>(
  file: string,
  effect: Effect.Effect<A, E, R>
): Effect.Effect<A, E | CacheError.PathError, R> =>
  Effect.acquireUseRelease(
    Effect.promise(async () => {
      const session = new Session()
      session.connect()
      await session.post("Profiler.enable")
      await session.post("Profiler.start")
      return session
    }),
    (session) =>
      Effect.flatMap(Effect.exit(effect), (exit) =>
        Effect.zipRight(
          Effect.tryPromise({
            try: async () => {
              const { profile } = await session.post("Profiler.stop")
              await writeFile(file, JSON.stringify(profile))
            },
            catch: (cause) =>
              new CacheError.PathError({
                path: file,
                reason: `the profile cannot be written: ${cause instanceof Error ? cause.message : String(cause)}`,
                hint: "name a file in a folder that you may write in with --out",
                cause
              })
          }),
          exit
        )
      ),
    (session) => Effect.sync(() => session.disconnect())
  )
