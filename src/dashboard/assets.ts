/** The files that the page is made of. They are served as they are: there is nothing to build. */
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import { readFile } from "node:fs/promises"
import { createRequire } from "node:module"
import { pathToFileURL } from "node:url"
import * as Guard from "./guard.js"

export class Missing extends Data.TaggedError("Missing")<{ readonly reason: string }> {}

/** From here it is the same way in the sources and in what is built of them: only the sources have the page. */
const own = (name: string): URL => new URL(`../../src/dashboard/page/${name}`, import.meta.url)
const require = createRequire(import.meta.url)
const chart = (name: string): URL => pathToFileURL(require.resolve(`uplot/dist/${name}`))

const html = "text/html; charset=utf-8"
const script = "text/javascript; charset=utf-8"
const style = "text/css; charset=utf-8"

/** All that can be asked for: names lead nowhere else. */
const files: ReadonlyMap<string, { readonly at: () => URL; readonly type: string }> = new Map([
  ["app.js", { at: () => own("app.js"), type: script }],
  ["api.js", { at: () => own("api.js"), type: script }],
  ["charts.js", { at: () => own("charts.js"), type: script }],
  ["entry.js", { at: () => own("entry.js"), type: script }],
  ["history.js", { at: () => own("history.js"), type: script }],
  ["format.js", { at: () => own("format.js"), type: script }],
  ["style.css", { at: () => own("style.css"), type: style }],
  ["icon.svg", { at: () => own("icon.svg"), type: "image/svg+xml" }],
  ["uplot.js", { at: () => chart("uPlot.esm.js"), type: script }],
  ["uplot.css", { at: () => chart("uPlot.min.css"), type: style }]
])

const sent = (at: URL, contentType: string): Effect.Effect<HttpServerResponse.HttpServerResponse> =>
  Effect.map(
    Effect.promise(() => readFile(at)),
    (bytes) => HttpServerResponse.uint8Array(bytes, { contentType, headers: Guard.headers })
  )

/** Its own links are relative, so its path has to end as a folder's. */
export const page: Effect.Effect<HttpServerResponse.HttpServerResponse, never, HttpServerRequest.HttpServerRequest> =
  Effect.flatMap(HttpServerRequest.HttpServerRequest, ({ originalUrl }) => {
    const { pathname } = new URL(originalUrl, "http://localhost")
    return pathname.endsWith("/")
      ? sent(own("index.html"), html)
      : Effect.succeed(
          HttpServerResponse.redirect(`${pathname.split("/").at(-1)}/`, { status: 308, headers: Guard.headers })
        )
  })

export const file = (name: string): Effect.Effect<HttpServerResponse.HttpServerResponse, Missing> => {
  const found = files.get(name)
  return found === undefined ? new Missing({ reason: "there is no such file" }) : sent(found.at(), found.type)
}
