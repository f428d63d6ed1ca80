/**
 * Items on memcached. Versions are its CAS numbers; a place that is claimed is an empty item, which goes by itself.
 *
 * An item's first byte tells its form: 0, and all of it follows; or 1, and it is in pieces: 12 bytes that name them, 4 for
 * their number and 4 for the size of each but the last, and then the first piece. The others are items of their own,
 * which are never changed: another value has other names.
 */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { randomBytes } from "node:crypto"
import { steadyMillis } from "../../internal/steady.js"
import type { Limited } from "../internal/limited.js"
import { lifeOf } from "../internal/lives.js"
import type { Item, Items, Replacement } from "../versioned/items.js"
import type { Client } from "./client.js"
import { lines, type Location } from "./connection.js"
import { Refused, ofCommand, TooLarge } from "./errors.js"
import * as Protocol from "./protocol.js"

export interface Options {
  readonly client: Client
  readonly location: Location
  readonly limited: Limited
  readonly prefix: string
  readonly chunkBytes: number
  readonly maxValueBytes: number
}

/** Seconds that a claimed place stays: longer than any write takes. */
const placeSeconds = 60
/** Beyond so many seconds memcached takes a number for a date. What lives longer is kept until its room is needed. */
const maxSeconds = 30 * 86_400

const whole = 0
const inPieces = 1
const headSize = 21
const nothing = Buffer.alloc(0)

const secondsOf = (reclaimAt: number, now: number): number => {
  const seconds = Math.ceil(lifeOf(reclaimAt, now) / 1_000)
  return seconds > maxSeconds ? 0 : seconds
}

const checked = (answer: Protocol.Answer | undefined): Protocol.Answer => {
  if (answer === undefined || Protocol.isError(answer))
    throw new Refused(answer ?? { word: "", flags: "", value: undefined })
  return answer
}

/** What the first item of a value in pieces says of the others. */
interface Pieces {
  readonly nonce: string
  readonly count: number
  readonly first: Buffer
}

/** Nothing, if it is not what was written: what has rotted may say that there are thousands of millions of them. */
const piecesIn = (value: Buffer, maxValueBytes: number): Pieces | undefined => {
  if (value.length < headSize) return undefined
  const [count, size] = [value.readUInt32LE(13), value.readUInt32LE(17)]
  const first = value.subarray(headSize)
  return first.length === size && count > 0 && (count - 1) * size < maxValueBytes
    ? { nonce: value.toString("latin1", 1, 13), count, first }
    : undefined
}

const pieceKey = (key: string, nonce: string, place: number): string => `${key}|${nonce}|${place}`

/** What comes after so many bytes. */
const plain = (value: Buffer, most: number): Uint8Array => {
  const start = Math.min(most, value.length)
  return new Uint8Array(value.buffer, value.byteOffset + start, value.length - start)
}

type Found = Uint8Array | undefined

class Shelf {
  constructor(private readonly options: Options) {}

  private keyOf(name: string): string {
    return `${this.options.prefix}:${name}`
  }

  /** What the values are, whose first items these are: a promise only where there are pieces. */
  private assembled(
    keys: ReadonlyArray<string>,
    answers: ReadonlyArray<Protocol.Answer>
  ): ReadonlyArray<Found> | Promise<ReadonlyArray<Found>> {
    const joining: Array<Promise<void>> = []
    const found = answers.map((answer, index): Found => {
      const { value } = checked(answer)
      if (value === undefined || value.length === 0) return undefined
      if (value[0] === whole) return plain(value, 1)
      joining.push(this.joined(keys[index]!, value).then((one) => void (found[index] = one)))
      return undefined
    })
    return joining.length === 0 ? found : Promise.all(joining).then(() => found)
  }

  /** All pieces are asked for at once. */
  private async joined(key: string, value: Buffer): Promise<Uint8Array | undefined> {
    const pieces = value[0] === inPieces ? piecesIn(value, this.options.maxValueBytes) : undefined
    if (pieces === undefined) return undefined
    const { count, first, nonce } = pieces
    const others = Array.from({ length: count - 1 }, (_, index) => Protocol.read(pieceKey(key, nonce, index + 1)))
    const found = (await this.options.client.send(others)).map((answer) => checked(answer).value)
    return found.every((one) => one !== undefined) ? plain(Buffer.concat([first, ...found]), 0) : undefined
  }

  read(names: ReadonlyArray<string>): Promise<ReadonlyArray<Found>> {
    const keys = names.map((name) => this.keyOf(name))
    return this.options.client.send(keys.map(Protocol.read)).then((answers) => this.assembled(keys, answers))
  }

  /** What is claimed is looked at for its beginning only, so pieces are left where they are. */
  async claim(names: ReadonlyArray<string>, others: ReadonlyArray<string>, unread: number) {
    const keys = others.map((name) => this.keyOf(name))
    const answers = await this.options.client.send([
      ...names.map((name, index) => Protocol.claim(this.keyOf(name), placeSeconds, index < unread ? "" : "v ")),
      ...keys.map(Protocol.read)
    ])
    const items = answers.slice(0, names.length).map((answer): Item => {
      const { value = nothing } = checked(answer)
      return { bytes: plain(value, value[0] === inPieces ? headSize : 1), version: Protocol.versionIn(answer) }
    })
    return { items, found: await this.assembled(keys, answers.slice(names.length)) }
  }

  /** The commands that write a value, the one that makes it be there last. */
  private commands({ bytes, name, reclaimAt, version }: Replacement, now: number): ReadonlyArray<Protocol.Command> {
    const { chunkBytes, maxValueBytes } = this.options
    const key = this.keyOf(name)
    const seconds = secondsOf(reclaimAt, now)
    if (bytes.length > maxValueBytes) throw new TooLarge(bytes.length, maxValueBytes)
    if (bytes.length < chunkBytes) {
      return [Protocol.write(key, String.fromCharCode(whole), bytes, String(version), seconds)]
    }
    const nonce = randomBytes(9).toString("base64url")
    const size = chunkBytes - headSize
    const count = Math.ceil(bytes.length / size)
    const piece = (place: number) => bytes.subarray(place * size, (place + 1) * size)
    const head = Buffer.alloc(headSize)
    head[0] = inPieces
    head.write(nonce, 1, "latin1")
    head.writeUInt32LE(count, 13)
    head.writeUInt32LE(size, 17)
    return [
      ...Array.from({ length: count - 1 }, (_, index) =>
        Protocol.write(pieceKey(key, nonce, index + 1), "", piece(index + 1), undefined, seconds)
      ),
      Protocol.write(key, "", Buffer.concat([head, piece(0)]), String(version), seconds)
    ]
  }

  async replace(items: ReadonlyArray<Replacement>, now: number): Promise<ReadonlyArray<boolean>> {
    const all = items.map((item) => this.commands(item, now))
    const answers = await this.options.client.send(all.flat())
    let end = 0
    return all.map(({ length }) => {
      const own = answers.slice(end, (end += length))
      for (const answer of own) checked(answer)
      return own.at(-1)?.word === "HD"
    })
  }

  async remove(names: ReadonlyArray<string>): Promise<void> {
    const answers = await this.options.client.send(names.map((name) => Protocol.remove(this.keyOf(name))))
    for (const answer of answers) checked(answer)
  }

  /** All of them before the first is told: the connection is not held open while somebody works through them. */
  async list(start: string): Promise<ReadonlyArray<string>> {
    const { location, prefix } = this.options
    const wanted = this.keyOf(start)
    const names: Array<string> = []
    for await (const line of lines(location, Protocol.dump)) {
      const encoded = /^key=(\S+) /.exec(line)?.[1]
      if (encoded === undefined) throw new Refused({ word: line, flags: "", value: undefined })
      const key = decodeURIComponent(encoded)
      if (key.startsWith(wanted) && !key.includes("|")) names.push(key.slice(prefix.length + 1))
    }
    return names
  }
}

export const make = (options: Options): Items => {
  const shelf = new Shelf(options)
  const { limited } = options
  return {
    // in one packet over one connection
    ordered: true,
    askedByCallers: true,
    read: (operation, names) => limited(operation, () => shelf.read(names)),
    claim: (operation, names, others, unread = 0) => limited(operation, () => shelf.claim(names, others, unread)),
    replace: (operation, items) =>
      Effect.flatMap(steadyMillis, (now) => limited(operation, () => shelf.replace(items, now))),
    remove: (operation, names) => limited(operation, () => shelf.remove(names)),
    // as long as it takes: a large server has much to tell
    list: (operation, start) =>
      Stream.fromIterableEffect(
        Effect.tryPromise({ try: () => shelf.list(start), catch: (cause) => ofCommand(operation, cause) })
      )
  }
}
