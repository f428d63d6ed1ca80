/** What goes wrong with Redis, in this project's words. The driver's errors stop here: they become the `cause`. */
import { type Diagnosis, firstOf, told } from "../internal/diagnosis.js"

/** The store's name in errors, spans and logs. */
export const storeName = "RedisStore"

const unreachable = "check that the server runs and can be reached; the connection is made again by itself"

/** By the first word of Redis's reply, or the name or code of the driver's error. */
const diagnoses: Readonly<Record<string, Diagnosis>> = {
  OOM: {
    reason: "the server has no memory left",
    transient: false,
    hint: "raise maxmemory, or set maxmemory-policy to allkeys-lru or allkeys-lfu so that it makes room"
  },
  MISCONF: {
    reason: "the server cannot save to its disk, and so refuses to write",
    transient: false,
    hint: "look at the server's log; for a cache, switch snapshots off: CONFIG SET stop-writes-on-bgsave-error no"
  },
  READONLY: {
    reason: "the server is a replica, which cannot be written",
    transient: true,
    hint: "give the url of the primary"
  },
  NOAUTH: {
    reason: "the server wants a password",
    transient: false,
    hint: "put it in the url: redis://:password@host"
  },
  WRONGPASS: {
    reason: "the user name or password is wrong",
    transient: false,
    hint: "check the url's user and password"
  },
  NOPERM: {
    reason: "the user may not do this",
    transient: false,
    hint: "allow it: ACL SETUSER <user> ~<prefix>:* +get +mget +hmget +set +scan +evalsha +eval +@hash +@sortedset"
  },
  LOADING: { reason: "the server is still loading its data", transient: true, hint: "try again" },
  BUSY: { reason: "the server is busy with a script", transient: true, hint: "try again; SCRIPT KILL ends the script" },
  CLUSTERDOWN: { reason: "the cluster is down", transient: true, hint: unreachable },
  MASTERDOWN: { reason: "the primary is down", transient: true, hint: unreachable },
  TRYAGAIN: { reason: "the cluster is being changed", transient: true, hint: "try again" },
  MOVED: {
    reason: "the server is part of a cluster, and this region is on another node",
    transient: false,
    hint: "give the url of a single server, or of a proxy in front of the cluster"
  },
  ClientOfflineError: { reason: "there is no connection", transient: true, hint: unreachable },
  ClientClosedError: { reason: "the connection was closed", transient: true, hint: unreachable },
  DisconnectsClientError: { reason: "the connection was closed", transient: true, hint: unreachable },
  SocketClosedUnexpectedlyError: { reason: "the connection was lost", transient: true, hint: unreachable },
  ConnectionTimeoutError: { reason: "no connection was made in time", transient: true, hint: unreachable },
  ECONNRESET: { reason: "the connection was lost", transient: true, hint: unreachable },
  EPIPE: { reason: "the connection was lost", transient: true, hint: unreachable }
}

const nameOf = (error: Error): ReadonlyArray<string> => [
  /^[A-Z]+/.exec(error.message)?.[0] ?? "",
  error.constructor.name,
  "code" in error ? String(error.code) : ""
]

const diagnose = (given: unknown): Diagnosis => {
  // what made the driver give up connecting
  const error = given instanceof Error && "originalError" in given ? given.originalError : given
  if (!(error instanceof Error)) return { reason: String(error), transient: false, hint: "see the cause" }
  const known = nameOf(error).find((name) => Object.hasOwn(diagnoses, name))
  if (known !== undefined) return diagnoses[known]!
  const first = firstOf(error)
  const reason = first instanceof Error ? first.message : error.message
  const isOfNetwork = first instanceof Error && "syscall" in first
  return { reason, transient: isOfNetwork, hint: isOfNetwork ? unreachable : "see the cause" }
}

/** How an operation that failed, and a server that cannot be used, are told. */
export const { ofConnecting, ofOperation: ofCommand } = told(storeName, diagnose, unreachable)
