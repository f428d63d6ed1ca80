/** The connections that a store keeps for its life: a few, each used by many at once, and made anew when they are lost. */
import * as Effect from "effect/Effect"
import * as Runtime from "effect/Runtime"
import type * as Scope from "effect/Scope"
import type * as CacheError from "../../CacheError.js"
import { Connection, type Location } from "./connection.js"
import * as Errors from "./errors.js"
import type { Answer, Command } from "./protocol.js"
import { informOf, warnOf } from "../../internal/tell.js"

/** Commands that a connection has to answer before another one is made beside it. */
const busy = 64

export interface Options extends Location {
  readonly maxConnections: number
}

export interface Client {
  /** All go over one connection, so that they are done in this order. */
  readonly send: (commands: ReadonlyArray<Command>) => Promise<ReadonlyArray<Answer>>
}

/** Where the server is, without anybody's password. */
export const placeOf = ({ host, port, tls }: Location): string =>
  `${tls === undefined ? "memcached" : "memcacheds"}://${host.includes(":") ? `[${host}]` : host}:${port}`

class Pool implements Client {
  private readonly connections = new Set<Connection>()
  private isOpening = false
  private isClosed = false
  private isLost = false

  constructor(
    private readonly options: Options,
    private readonly log: (effect: Effect.Effect<void>) => void
  ) {}

  readonly send = (commands: ReadonlyArray<Command>): Promise<ReadonlyArray<Answer>> => {
    let idlest: Connection | undefined
    for (const one of this.connections) if (idlest === undefined || one.pending < idlest.pending) idlest = one
    if (idlest === undefined || (idlest.pending >= busy && this.connections.size < this.options.maxConnections)) {
      void this.widen()
    }
    // what cannot be done now fails now: a cache can do without
    return idlest === undefined ? Promise.reject(new Errors.Offline("there is no connection")) : idlest.send(commands)
  }

  /** One more connection, in the background. */
  private async widen(): Promise<void> {
    if (this.isOpening || this.isClosed) return
    this.isOpening = true
    // that it cannot be had is told to whoever wants one that is not there
    await this.open().catch(() => {})
    this.isOpening = false
  }

  async open(): Promise<void> {
    const connection = await Connection.open(this.options, this.lose)
    if (this.isClosed) return connection.close()
    this.connections.add(connection)
    if (this.isLost) {
      this.isLost = false
      this.log(informOf(Errors.storeName, `${Errors.storeName} has ${placeOf(this.options)} again`))
    }
  }

  private readonly lose = (connection: Connection): void => {
    // one that was never ready, or is closed by us, is nothing that is lost
    if (!this.connections.delete(connection) || this.isClosed) return
    if (this.connections.size > 0 || this.isLost) return
    this.isLost = true
    const place = placeOf(this.options)
    this.log(warnOf(Errors.storeName, `${Errors.storeName} has lost ${place}, and connects again when it is asked`))
  }

  close(): void {
    this.isClosed = true
    for (const one of this.connections) one.close()
    this.connections.clear()
  }
}

export const connect = (options: Options): Effect.Effect<Client, CacheError.StoreUnavailable, Scope.Scope> =>
  Effect.gen(function* () {
    const runtime = yield* Effect.runtime<never>()
    const pool = yield* Effect.acquireRelease(
      Effect.sync(() => new Pool(options, (effect) => void Runtime.runFork(runtime)(effect))),
      (one) => Effect.sync(() => one.close())
    )
    yield* Effect.tryPromise({
      try: () => pool.open(),
      catch: (cause) => Errors.ofConnecting(placeOf(options), cause)
    })
    return pool
  })
