/**
 * The least that can speak memcached's protocol: one connection, a line there and an answer back, in order. What a client
 * adds to that is what is measured, so the raw client of this contest is none of the field's.
 */
import { Effect } from "effect"
import * as net from "node:net"

export interface Client {
  readonly getMany: (keys: ReadonlyArray<string>) => Promise<Map<string, string>>
  readonly set: (key: string, value: string, seconds: number) => Promise<boolean>
}

type Waiting =
  | { readonly _tag: "Gets"; readonly found: Map<string, string>; readonly done: (found: Map<string, string>) => void }
  | { readonly _tag: "Set"; readonly done: (isStored: boolean) => void }

/** Takes one answer, or one value of an answer, off the front; where the next begins, or -1 if it is not all there. */
const take = (heard: Buffer, from: number, waiting: Array<Waiting>): number => {
  const end = heard.indexOf("\r\n", from)
  if (end < 0) return -1
  const line = heard.toString("latin1", from, end)
  const first = waiting[0]
  if (first === undefined) throw new Error(`memcached said what it was not asked: ${line}`)
  if (first._tag === "Gets" && line.startsWith("VALUE ")) {
    const [, key = "", , length] = line.split(" ")
    const start = end + 2
    const after = start + Number(length) + 2
    if (heard.length < after) return -1
    first.found.set(key, heard.toString("utf8", start, after - 2))
    return after
  }
  waiting.shift()
  if (first._tag === "Gets") first.done(first.found)
  else first.done(line === "STORED")
  return end + 2
}

export const connect = (port: number) =>
  Effect.map(
    Effect.acquireRelease(
      Effect.async<net.Socket>((resume) => {
        const socket = net.connect({ port, host: "127.0.0.1", noDelay: true }, () => resume(Effect.succeed(socket)))
      }),
      (socket) => Effect.sync(() => socket.destroy())
    ),
    (socket): Client => {
      const waiting: Array<Waiting> = []
      let heard = Buffer.alloc(0)
      socket.on("data", (piece) => {
        heard = heard.length === 0 ? piece : Buffer.concat([heard, piece])
        let at = 0
        for (let next = 0; next >= 0 && at < heard.length; ) {
          next = take(heard, at, waiting)
          if (next >= 0) at = next
        }
        heard = heard.subarray(at)
      })
      const say = (text: string, one: Waiting) => {
        waiting.push(one)
        socket.write(text)
      }
      return {
        getMany: (keys) =>
          new Promise((done) => say(`get ${keys.join(" ")}\r\n`, { _tag: "Gets", found: new Map(), done })),
        set: (key, value, seconds) =>
          new Promise((done) =>
            say(`set ${key} 0 ${seconds} ${Buffer.byteLength(value)}\r\n${value}\r\n`, { _tag: "Set", done })
          )
      }
    }
  )
