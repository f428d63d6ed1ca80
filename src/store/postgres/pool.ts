/** Connections of a store, and how one statement is run on one of them. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type * as Pg from "pg"
import type { Attempt } from "../internal/limited.js"

/** One row of a result, by column. */
export type Columns = Readonly<Record<string, unknown>>

export interface Options {
  readonly url: string
  readonly maxConnections: number
  readonly connectMillis: number
  readonly prepared: boolean
}

/**
 * A statement that is prepared is planned once for each connection, and for any number of keys; entries are found by the
 * index, however small the table is when the plan is made.
 */
const settings = "-c plan_cache_mode=force_generic_plan -c enable_seqscan=off"

/**
 * The url with these settings before those that it has itself, or the environment, which come last and so count. It is
 * added to and not written anew, because the driver reads it in ways of its own: of two parameters it takes the last.
 */
export const withSettings = (url: string): string => {
  const [place = ""] = url.split("#")
  const theirs = new URL(url).searchParams.getAll("options").at(-1) ?? process.env["PGOPTIONS"]
  const options = encodeURI(theirs === undefined ? settings : `${settings} ${theirs}`)
  return `${place}${place.includes("?") ? "&" : "?"}options=${options.replace(/[&+#]/g, encodeURIComponent)}`
}

/** Milliseconds that closing waits for a server to say goodbye. */
const farewell = 1_000

/** The longest that a timer can be; what is longer is no limit, which the driver calls 0. */
const longest = 2 ** 31 - 1

/** What a connection that is lost tells is told to whoever runs a statement on it, and otherwise to nobody. */
const ignore = () => {}

/**
 * Whether what a statement failed with says nothing against its connection. Otherwise it is thrown away: where it is lost,
 * and where the server no longer has, or no longer takes, what was prepared on it.
 */
const isSound = (error: Error): boolean => {
  const { code = "", severity } = error as Partial<Pg.DatabaseError>
  return (
    severity !== undefined &&
    severity !== "FATAL" &&
    severity !== "PANIC" &&
    !/^(?:08|57P|26000|42P05|0A000)/.test(code)
  )
}

export interface Pool {
  readonly ofDriver: Pg.Pool
  /**
   * Runs one statement. When its time is over, its connection is thrown away with it: one on which something hangs is of no
   * use to the next. One that is had only then goes back as it came.
   */
  readonly run: (statement: Pg.QueryConfig, attempt: Attempt) => Promise<ReadonlyArray<Columns>>
}

/** A pool that ends with the Scope, whether the server answers or not. Nothing is connected to before it is asked. */
export const make = (
  Driver: typeof Pg.Pool,
  { connectMillis, maxConnections, prepared, url }: Options
): Effect.Effect<Pool, never, Scope.Scope> =>
  Effect.gen(function* () {
    const open = new Set<Pg.PoolClient>()
    /** For a connection. */
    const waiting = new Set<(cause: unknown) => void>()
    const pool = new Driver({
      connectionString: prepared ? withSettings(url) : url,
      max: maxConnections,
      connectionTimeoutMillis: connectMillis > longest ? 0 : connectMillis,
      application_name: "effect-larder"
    })
    pool.on("error", ignore)
    pool.on("connect", (client) => {
      client.on("error", ignore)
      open.add(client)
    })
    let gone = ignore
    pool.on("remove", (client) => {
      open.delete(client)
      gone()
    })
    /** The driver's own is content with having said goodbye. */
    const leave = () =>
      new Promise<void>((resolve) => {
        let isEnded = false
        gone = () => {
          if (isEnded && open.size === 0) resolve()
        }
        pool.end(() => {
          isEnded = true
          gone()
        })
      })
    yield* Effect.addFinalizer(() =>
      Effect.promise(leave).pipe(
        Effect.interruptible,
        Effect.timeoutOption(farewell),
        // a server that does not take its leave keeps no process alive; and the driver forgets who waits in its queue. One
        // that is being connected to is left alone until it is, or that has taken too long
        Effect.zipRight(
          Effect.sync(() => {
            for (const client of open) client.connection.stream.destroy()
            for (const refuse of waiting) refuse(new Error("Connection terminated"))
          })
        )
      )
    )
    return {
      ofDriver: pool,
      run: (statement, attempt) =>
        new Promise((resolve, reject) => {
          let isOver = false
          let giveBack: ((because?: Error | boolean) => void) | undefined
          attempt.giveUp = () => {
            isOver = true
            giveBack?.(true)
            giveBack = undefined
          }
          const refuse = (cause: unknown) => {
            isOver = true
            waiting.delete(refuse)
            reject(cause)
          }
          pool.connect((refused, client, release) => {
            if (client === undefined) return refuse(refused)
            waiting.delete(refuse)
            if (isOver) return release(pool.ending)
            giveBack = release
            client.query(statement, (failed: Error | null, result) => {
              if (giveBack === undefined) return
              giveBack = undefined
              release(failed === null || isSound(failed) ? undefined : failed)
              if (failed === null) resolve(result.rows)
              else reject(failed)
            })
          })
          // not before: it throws where a file that the url names is not there any more
          waiting.add(refuse)
        })
    }
  })
