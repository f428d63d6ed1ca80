/**
 * Who may ask for what. A page that looks into caches is asked from a browser, and any page of the world can make a
 * browser ask: so it answers only under its own names (DNS rebinding), and changes something only for whoever knows the
 * token, which no other page can make a browser send (CSRF).
 */
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import { createHash, timingSafeEqual } from "node:crypto"

/** What is not answered, and why. */
export class Refused extends Data.TaggedError("Refused")<{
  readonly status: 401 | 403 | 415 | 421
  readonly reason: string
  readonly hint: string
}> {}

export interface Rules {
  /** Host names that it is asked under, in small letters. */
  readonly hosts: ReadonlySet<string>
  /** What whoever changes something has to know; without one nobody may. */
  readonly token: string | undefined
}

export const loopback: ReadonlyArray<string> = ["localhost", "127.0.0.1", "[::1]"]

/** The name in a Host header, without the port. */
const nameOf = (host: string): string => host.toLowerCase().replace(/:\d+$/, "")

const digest = (text: string): Buffer => createHash("sha256").update(text).digest()

/** Takes as long for a near guess as for a bad one. */
const isSame = (given: string, token: string): boolean => timingSafeEqual(digest(given), digest(token))

const foreign = (what: string): Refused =>
  new Refused({
    status: 421,
    reason: `${what} is none of this page's own`,
    hint: "ask for it under the name that it is served at, or give that name as one of hosts"
  })

/** Whether a request is meant for us at all. */
export const ours = ({ hosts }: Rules): Effect.Effect<void, Refused, HttpServerRequest.HttpServerRequest> =>
  Effect.flatMap(HttpServerRequest.HttpServerRequest, ({ headers }) => {
    if (!hosts.has(nameOf(headers["host"] ?? ""))) return foreign("the Host")
    const { origin } = headers
    if (origin === undefined) return Effect.void
    // a page that was opened at another port is another page
    return URL.canParse(origin) && new URL(origin).host === (headers["host"] ?? "").toLowerCase()
      ? Effect.void
      : foreign("the Origin")
  })

/** Whether it may change something. */
export const allowed = ({ token }: Rules): Effect.Effect<void, Refused, HttpServerRequest.HttpServerRequest> =>
  Effect.flatMap(HttpServerRequest.HttpServerRequest, ({ headers }): Effect.Effect<void, Refused> => {
    if (token === undefined) {
      return new Refused({ status: 403, reason: "nothing can be changed here", hint: "serve the page with a token" })
    }
    const given = /^Bearer (.+)$/.exec(headers["authorization"] ?? "")?.[1]
    if (given === undefined || !isSame(given, token)) {
      return new Refused({ status: 401, reason: "the token is missing or wrong", hint: "open the page with its token" })
    }
    return /^application\/json\b/.test(headers["content-type"] ?? "")
      ? Effect.void
      : new Refused({ status: 415, reason: "the body must be JSON", hint: "send it as application/json" })
  })

/** Nothing of another host, nothing within the page, nobody around it. */
export const headers: Readonly<Record<string, string>> = {
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "cross-origin-resource-policy": "same-origin",
  "cache-control": "no-store",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff"
}
