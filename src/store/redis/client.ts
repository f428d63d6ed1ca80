/** The connection that a store keeps for its life, and how its commands are sent. */
import * as Effect from "effect/Effect"
import * as Runtime from "effect/Runtime"
import type * as Scope from "effect/Scope"
import { createHash } from "node:crypto"
import type * as CacheError from "../../CacheError.js"
import * as Peers from "../internal/peers.js"
import * as Errors from "./errors.js"
import { informOf, warnOf } from "../../internal/tell.js"

export type Argument = string | Buffer

export interface Client {
  /** Sends a command; what is sent in one turn of the event loop goes in one packet. */
  readonly send: (command: ReadonlyArray<Argument>) => Promise<unknown>
  /** The same, with the answer's texts as bytes. */
  readonly sendForBytes: (command: ReadonlyArray<Argument>) => Promise<unknown>
  /** Runs a script, which the server is given once. */
  readonly run: (
    script: string,
    keys: ReadonlyArray<string>,
    parameters: ReadonlyArray<Argument>,
    asBytes?: boolean
  ) => Promise<unknown>
}

export interface Options {
  readonly url: string
  readonly connectMillis: number
  readonly tls: Readonly<Record<string, unknown>> | undefined
}

/** Commands that wait for the server at most: beyond that they fail at once instead of filling the memory. */
const maxQueue = 10_000

/** Milliseconds before another attempt to connect, growing to 2 seconds. Not by a Schedule: the driver asks. */
const pauseBefore = (attempt: number): number => Math.min(2_000, 50 * 2 ** Math.min(attempt, 10))

/** RESP's bulk strings. */
const bulk = 36

const sha1 = (text: string): string => createHash("sha1").update(text).digest("hex")

/** Where the server is, without anybody's password. */
export const placeOf = (url: string): string => {
  const { host, pathname, protocol } = new URL(url)
  return `${protocol}//${host}${pathname}`
}

export const connect = ({
  connectMillis,
  tls,
  url
}: Options): Effect.Effect<Client, CacheError.StoreUnavailable, Scope.Scope> =>
  Effect.gen(function* () {
    const driver = yield* Peers.load({ store: Errors.storeName, driver: "redis" }, () => import("redis"))
    const runtime = yield* Effect.runtime<never>()
    const place = placeOf(url)
    let wasReady = false
    let isLost = false
    const reconnectStrategy = (attempt: number, cause: Error) => (wasReady ? pauseBefore(attempt) : cause)
    const socket = { connectTimeout: connectMillis, reconnectStrategy }
    const client = driver.createClient({
      url,
      RESP: 3,
      // an operation that cannot be done now fails now: a cache can do without
      disableOfflineQueue: true,
      commandsQueueMaxLength: maxQueue,
      maintNotifications: "disabled",
      socket: tls === undefined ? socket : { ...tls, ...socket, tls: true }
    })
    const log = (effect: Effect.Effect<void>) => void Runtime.runFork(runtime)(effect)
    client.on("error", (error: unknown) => {
      if (!wasReady || isLost) return
      isLost = true
      const { reason } = Errors.ofCommand("connect", error)
      log(warnOf(Errors.storeName, `${Errors.storeName} has lost ${place} (${reason}), and connects again`))
    })
    client.on("ready", () => {
      if (isLost) log(informOf(Errors.storeName, `${Errors.storeName} has ${place} again`))
      isLost = false
      wasReady = true
    })
    yield* Effect.acquireRelease(
      Effect.tryPromise({ try: () => client.connect(), catch: (cause) => Errors.ofConnecting(place, cause) }),
      // whoever asked for something has been answered by now
      () => Effect.sync(() => client.isOpen && client.destroy())
    ).pipe(Effect.tapError(() => Effect.sync(() => client.isOpen && client.destroy())))

    // the driver's own limit would make a signal and a timer for each command, and every operation has its limit already
    const plain = { timeout: 0 }
    const bytes = { ...plain, typeMapping: { [bulk]: Buffer } }
    const send: Client["send"] = (command) => client.sendCommand(command, plain)
    const sendForBytes: Client["send"] = (command) => client.sendCommand(command, bytes)
    const digests = new Map<string, string>()
    const digestOf = (script: string): string => {
      const digest = digests.get(script) ?? sha1(script)
      digests.set(script, digest)
      return digest
    }
    return {
      send,
      sendForBytes,
      run: async (script, keys, parameters, asBytes = false) => {
        const how = asBytes ? sendForBytes : send
        const rest = [String(keys.length), ...keys, ...parameters]
        try {
          return await how(["EVALSHA", digestOf(script), ...rest])
        } catch (error) {
          if (!(error instanceof Error && error.message.startsWith("NOSCRIPT"))) throw error
          return how(["EVAL", script, ...rest])
        }
      }
    }
  })
