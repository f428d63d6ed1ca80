/** What goes wrong with PostgreSQL, in this project's words. The driver's errors stop here: they become the `cause`. */
import * as CacheError from "../../CacheError.js"
import { type Diagnosis, firstOf } from "../internal/diagnosis.js"

/** The store's name in errors, spans and logs. */
export const storeName = "PostgresStore"

const unreachable = "check that the server runs and can be reached"

const pooled: Diagnosis = {
  reason: "the pooler gives each transaction another connection",
  transient: false,
  hint: "give the store the option prepared: false, or a pool that keeps a connection for each session"
}

/** What a pooler says that does not know what a connection is opened with; the code says too little. */
const refusedStartup = /unsupported startup parameter/

/** By the beginning of the SQLSTATE, or the system's own code. */
const diagnoses: ReadonlyArray<readonly [code: string, diagnosis: Diagnosis]> = [
  ["28", { reason: "the user name or password is wrong", transient: false, hint: "check the url's user and password" }],
  ["3D000", { reason: "there is no such database", transient: false, hint: "create it, or name another in the url" }],
  [
    "42501",
    {
      reason: "the user may not do this",
      transient: false,
      hint: "grant the user CREATE and USAGE on the schema, or let another user make the tables first"
    }
  ],
  ["53100", { reason: "the server's disk is full", transient: false, hint: "free space on the server's disk" }],
  ["53200", { reason: "the server has no memory left", transient: true, hint: "try again" }],
  [
    "53300",
    { reason: "the server has too many connections", transient: true, hint: "lower maxConnections, or use a pooler" }
  ],
  ["25006", { reason: "the server can only be read", transient: true, hint: "give the url of the primary" }],
  ["40", { reason: "the server has rolled the transaction back", transient: true, hint: "try again" }],
  ["55P03", { reason: "a lock was not to be had", transient: true, hint: "try again" }],
  ["57P", { reason: "the server is shutting down or starting", transient: true, hint: unreachable }],
  ["57014", { reason: "the statement was cancelled", transient: true, hint: "try again" }],
  ["26000", pooled],
  ["42P05", pooled],
  ["08", { reason: "the connection was lost", transient: true, hint: unreachable }],
  ["42", { reason: "the tables are not as they were made", transient: false, hint: "drop them: a cache fills again" }],
  ["ECONNRESET", { reason: "the connection was lost", transient: true, hint: unreachable }],
  ["EPIPE", { reason: "the connection was lost", transient: true, hint: unreachable }]
]

const codeOf = (error: unknown): string =>
  typeof error === "object" && error !== null && "code" in error ? String(error.code) : ""

/** The driver's error within what `@effect/sql` made of it. */
const driverError = (error: unknown): unknown =>
  typeof error === "object" && error !== null && "_tag" in error && error._tag === "SqlError" && "cause" in error
    ? error.cause
    : error

const diagnose = (given: unknown): Diagnosis => {
  const error = firstOf(given)
  const code = codeOf(error)
  const reason = error instanceof Error ? error.message : String(error)
  if (refusedStartup.test(reason)) return pooled
  const known = diagnoses.find(([prefix]) => code.startsWith(prefix))?.[1]
  if (known !== undefined) return known
  const isOfNetwork = (error instanceof Error && "syscall" in error) || /connection|terminated|timeout/i.test(reason)
  return { reason, transient: isOfNetwork, hint: isOfNetwork ? unreachable : "see the cause" }
}

/** A statement failed. */
export const ofStatement = (operation: string, cause: unknown): CacheError.StoreError =>
  new CacheError.StoreError({ store: storeName, operation, ...diagnose(cause), cause })

/** No connection can be made, or the tables cannot. `where` names the server, without its password. */
export const ofOpening =
  (where: string) =>
  (error: unknown): CacheError.StoreUnavailable => {
    const cause = driverError(error)
    const { hint, reason } = diagnose(cause)
    return new CacheError.StoreUnavailable({ store: storeName, reason: `${reason} (${where})`, hint, cause })
  }
