/** The page over a store, served to this machine. */
import * as HttpServer from "@effect/platform/HttpServer"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { createServer } from "node:http"
import { randomBytes } from "node:crypto"
import * as CacheDashboard from "../../dashboard/CacheDashboard.js"
import * as StoreAdmin from "../../StoreAdmin.js"
import { Usage } from "../errors.js"
import { paint, Screen } from "../screen.js"

/** How the page is served. */
export interface Serving {
  readonly port: number
  /** Whether something may be changed, by whoever has the address that is printed. */
  readonly write: boolean
}

const mostPort = 65_535

const addressOf = (server: HttpServer.HttpServer, token: string | undefined): string => {
  const port = server.address._tag === "TcpAddress" ? server.address.port : 0
  return `http://127.0.0.1:${port}/${token === undefined ? "" : `#token=${token}`}`
}

/** Serves the page until it is interrupted. */
export const dashboard = ({ port, write }: Serving): Effect.Effect<void, unknown, StoreAdmin.StoreAdmin | Screen> =>
  Effect.gen(function* () {
    if (!(Number.isInteger(port) && port >= 0 && port <= mostPort)) {
      return yield* new Usage({ reason: `--port ${port} is no port`, hint: "use 0 to 65535; 0 is any that is free" })
    }
    const screen = yield* Screen
    const admin = yield* StoreAdmin.StoreAdmin
    const token = write ? randomBytes(24).toString("base64url") : undefined
    const router = yield* CacheDashboard.over(admin, token === undefined ? {} : { token })
    const served = HttpServer.serve(router).pipe(
      Layer.tap(() =>
        Effect.flatMap(HttpServer.HttpServer, (server) => {
          const address = addressOf(server, token)
          return screen.print(
            screen.json
              ? JSON.stringify({ address })
              : `${paint(screen, "bold", address)}\n${write ? "whoever has this address can change things" : "nothing can be changed; --write allows it"}. Ctrl-C ends it.`
          )
        })
      ),
      Layer.provide(NodeHttpServer.layer(createServer, { port, host: "127.0.0.1" }))
    )
    yield* Layer.launch(served)
  })
