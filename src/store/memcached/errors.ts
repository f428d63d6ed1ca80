/** What goes wrong with memcached, in this project's words. */
import { type Diagnosis, firstOf, told } from "../internal/diagnosis.js"
import { type Answer, textOf } from "./protocol.js"

/** The store's name in errors, spans and logs. */
export const storeName = "MemcachedStore"

const unreachable = "check that the server runs and can be reached; the connection is made again by itself"

/** The server does not do what it was told. */
export class Refused extends Error {
  constructor(answer: Answer) {
    super(textOf(answer))
  }
}

/** There is no connection, or none any more. */
export class Offline extends Error {}

/** A value that is larger than the store was told to write. */
export class TooLarge extends Error {
  constructor(bytes: number, most: number) {
    super(`the entry has ${bytes} bytes, at most ${most} are written`)
  }
}

/** By what the server's answer has in it. */
const diagnoses: ReadonlyArray<readonly [RegExp, Diagnosis]> = [
  [
    /too large/,
    {
      reason: "the server takes no item of this size",
      transient: false,
      hint: "give the store a chunkBytes that is below the server's own limit (memcached -I), or raise that"
    }
  ],
  [
    /out of memory/,
    {
      reason: "the server has no memory left for items of this size",
      transient: true,
      hint: "raise the server's memory (memcached -m), and do not start it with -M"
    }
  ],
  [
    /unauthenticated|authentication failure/i,
    {
      reason: "the server wants another user name and password",
      transient: false,
      hint: "put them in the url: memcached://user:password@host"
    }
  ],
  [
    /crawler/,
    {
      reason: "the server cannot list its items",
      transient: false,
      hint: "start it without no_lru_crawler; clear and the listing of entries need it"
    }
  ],
  [
    /^BADCLASS/,
    {
      reason: "the server cannot list its items by their table",
      transient: false,
      hint: "use memcached 1.6.18 or later; clear and the listing of entries need it"
    }
  ],
  [/^BUSY/, { reason: "the server is busy with another listing", transient: true, hint: "try again" }]
]

const diagnose = (error: unknown): Diagnosis => {
  if (error instanceof Refused) {
    const known = diagnoses.find(([pattern]) => pattern.test(error.message))
    return known?.[1] ?? { reason: error.message, transient: false, hint: "see the server's own documentation" }
  }
  if (error instanceof TooLarge) {
    return { reason: error.message, transient: false, hint: "raise maxValueBytes, or keep it in another store" }
  }
  if (error instanceof Offline) return { reason: error.message, transient: true, hint: unreachable }
  const first = firstOf(error)
  const reason = first instanceof Error ? first.message : String(first)
  const isOfNetwork = first instanceof Error && "syscall" in first
  return { reason, transient: isOfNetwork, hint: isOfNetwork ? unreachable : "see the cause" }
}

/** How an operation that failed, and a server that cannot be used, are told. */
export const { ofConnecting, ofOperation: ofCommand } = told(storeName, diagnose, unreachable)
