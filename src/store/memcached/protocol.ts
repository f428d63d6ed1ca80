/**
 * Memcached's meta protocol (doc/protocol.txt of memcached 1.6): how commands are said, and answers are heard.
 *
 * Each command has one answer, and answers come in the order of the commands.
 */

/** One command, in the pieces that go to the socket. */
export type Command = ReadonlyArray<string | Uint8Array>

export interface Answer {
  /** `HD`, `VA`, `EN`, `NF`, `NS`, `EX`, `MN`, or the first word of an error or of another protocol's answer. */
  readonly word: string
  /** What comes after the word; for `VA` without the size. */
  readonly flags: string
  readonly value: Buffer | undefined
}

export const read = (key: string): Command => [`mg ${key} v\r\n`]

/** Its version, and with `v` its value; where there is nothing, an empty item is made, which lives for so many seconds. */
export const claim = (key: string, seconds: number, value: "" | "v "): Command => [
  `mg ${key} ${value}c N${seconds}\r\n`
]

/** `undefined` for a version writes whatever is there. The value begins with what is in `start`, which is ASCII. */
export const write = (
  key: string,
  start: string,
  bytes: Uint8Array,
  version: string | undefined,
  seconds: number
): Command => [
  `ms ${key} ${start.length + bytes.length}${version === undefined ? "" : ` C${version}`} T${seconds}\r\n${start}`,
  bytes,
  "\r\n"
]

export const remove = (key: string): Command => [`md ${key}\r\n`]

/** Does nothing, on a server that knows the meta protocol. */
export const nothing: Command = ["mn\r\n"]

/** What the text protocol has for signing in: a `set` of any key. */
export const signIn = (user: string, password: string): Command => {
  const secret = Buffer.from(`${user} ${password}`)
  return [`set auth 0 0 ${secret.length}\r\n`, secret, "\r\n"]
}

/**
 * Tells of all items, by the table that finds them: by age (`all`) those would be missed that grow older or younger
 * meanwhile. Answered with lines, of which the last is `END`, on a connection of its own.
 */
export const dump: Command = ["lru_crawler metadump hash\r\n"]

/** The version that a `claim` answered with. */
export const versionIn = ({ flags }: Answer): string => /(?:^| )c(\d+)/.exec(flags)?.[1] ?? ""

const errors = /^(?:ERROR|CLIENT_ERROR|SERVER_ERROR)\b/

export const isError = ({ word }: Answer): boolean => word.length > 2 && errors.test(word)

/** What the server said, as it said it. */
export const textOf = ({ flags, word }: Answer): string => (flags === "" ? word : `${word} ${flags}`)

const newline = 10
const carriage = 13

/** Makes answers of what comes in, in whatever pieces it does. */
export class Parser {
  private parts: Array<Buffer> = []
  private total = 0
  /** So many bytes it takes to get on. */
  private wanted = 1
  private head: Answer | undefined

  constructor(private readonly heard: (answer: Answer) => void) {}

  push(part: Buffer): void {
    this.parts.push(part)
    this.total += part.length
    if (this.total < this.wanted) return
    const all = this.parts.length === 1 ? part : Buffer.concat(this.parts)
    let at = 0
    for (;;) {
      const next = this.head === undefined ? this.line(all, at) : this.value(this.head, all, at)
      if (next === at) break
      at = next
    }
    this.total = all.length - at
    this.parts = this.total === 0 ? [] : [all.subarray(at)]
    if (this.head === undefined) this.wanted = this.total + 1
  }

  /** Answers where it goes on, as `value` does: where it was if there is too little yet. */
  private line(all: Buffer, at: number): number {
    const end = all.indexOf(newline, at)
    if (end < 0) return at
    const text = all.toString("latin1", at, all[end - 1] === carriage ? end - 1 : end)
    const space = text.indexOf(" ")
    const word = space < 0 ? text : text.slice(0, space)
    const flags = space < 0 ? "" : text.slice(space + 1)
    if (word !== "VA") {
      this.heard({ word, flags, value: undefined })
      return end + 1
    }
    const after = flags.indexOf(" ")
    this.head = { word, flags: after < 0 ? "" : flags.slice(after + 1), value: undefined }
    const size = after < 0 ? flags : flags.slice(0, after)
    if (!/^\d+$/.test(size)) throw new Error(`the server said nothing that is understood: ${text}`)
    this.wanted = Number(size) + 2
    return end + 1
  }

  private value({ flags, word }: Answer, all: Buffer, at: number): number {
    const end = at + this.wanted
    if (all.length < end) return at
    this.head = undefined
    this.heard({ word, flags, value: all.subarray(at, end - 2) })
    return end
  }
}
