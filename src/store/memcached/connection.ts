/** One connection to a server. */
import * as net from "node:net"
import * as tls from "node:tls"
import { Offline, Refused } from "./errors.js"
import * as Protocol from "./protocol.js"

export interface Location {
  readonly host: string
  readonly port: number
  readonly user: string | undefined
  readonly password: string
  /** Milliseconds that making a connection may take. */
  readonly connectMillis: number
  /** As for `node:tls`; `undefined` for none. */
  readonly tls: Readonly<Record<string, unknown>> | undefined
}

/** Commands that wait for the server at most: beyond that they fail at once instead of filling the memory. */
const maxPending = 20_000

/** Bytes of a value that is small. */
const small = 4_096

/** Commands that were sent together, and what has been answered to them. */
interface Batch {
  readonly size: number
  readonly answers: Array<Protocol.Answer>
  readonly resolve: (answers: ReadonlyArray<Protocol.Answer>) => void
  readonly reject: (error: Error) => void
}

/** The socket tells of itself when nothing has happened for so long; who does not listen is not told. */
const opened = ({ connectMillis: timeout, host, port, tls: secure }: Location): Promise<net.Socket> =>
  new Promise((resolve, reject) => {
    const socket =
      secure === undefined ? net.connect({ host, port, timeout }) : tls.connect({ ...secure, host, port, timeout })
    const failed = (error: Error) => {
      socket.destroy()
      reject(error)
    }
    const late = () => failed(new Offline("no connection was made in time"))
    socket.setNoDelay(true)
    socket.once("timeout", late)
    socket.once("error", failed)
    socket.once(secure === undefined ? "connect" : "secureConnect", () => {
      socket.off("timeout", late)
      socket.off("error", failed)
      resolve(socket)
    })
  })

export class Connection {
  private readonly waiting: Array<Batch> = []
  private isOpen = true
  /** Commands that have no answer yet. */
  pending = 0

  private constructor(
    private readonly socket: net.Socket,
    private readonly lost: (connection: Connection) => void
  ) {
    const parser = new Protocol.Parser((answer) => this.heard(answer))
    socket.on("data", (part: Buffer) => {
      try {
        parser.push(part)
      } catch (error) {
        this.end(new Offline(error instanceof Error ? error.message : String(error)))
      }
    })
    socket.on("error", (error) => this.end(error))
    socket.on("close", () => this.end(new Offline("the connection was lost")))
    // a connection that nobody uses keeps no program alive
    socket.unref()
  }

  /** Connects, signs in, and makes sure that the server knows the protocol. */
  static async open(location: Location, lost: (connection: Connection) => void): Promise<Connection> {
    const connection = new Connection(await opened(location), lost)
    try {
      if (location.user !== undefined) {
        const [answer] = await connection.send([Protocol.signIn(location.user, location.password)])
        if (answer?.word !== "STORED") throw new Refused(answer!)
      }
      const [answer] = await connection.send([Protocol.nothing])
      if (answer?.word === "ERROR") {
        throw new Offline("the server does not know the meta protocol, which memcached has since 1.6")
      }
      if (answer?.word !== "MN") throw new Refused(answer!)
      return connection
    } catch (error) {
      connection.close()
      throw error
    }
  }

  /** The answers, in the order of the commands, whatever they are. */
  send(commands: ReadonlyArray<Protocol.Command>): Promise<ReadonlyArray<Protocol.Answer>> {
    if (!this.isOpen) return Promise.reject(new Offline("there is no connection"))
    if (this.pending + commands.length > maxPending) {
      return Promise.reject(new Offline(`${this.pending} commands wait for the server already`))
    }
    if (commands.length === 0) return Promise.resolve([])
    if (this.pending === 0) this.socket.ref()
    this.pending += commands.length
    return new Promise((resolve, reject) => {
      this.waiting.push({ size: commands.length, answers: [], resolve, reject })
      this.write(commands)
    })
  }

  /** In one packet. What is small goes with the text around it: a write of its own takes longer than to copy it. */
  private write(commands: ReadonlyArray<Protocol.Command>): void {
    let text = ""
    this.socket.cork()
    for (const command of commands) {
      for (const piece of command) {
        if (typeof piece === "string") {
          text += piece
        } else if (piece.length <= small) {
          text += Buffer.from(piece.buffer, piece.byteOffset, piece.length).toString("latin1")
        } else {
          this.socket.write(text, "latin1")
          this.socket.write(piece)
          text = ""
        }
      }
    }
    if (text !== "") this.socket.write(text, "latin1")
    this.socket.uncork()
  }

  close(): void {
    this.end(new Offline("the connection was closed"))
  }

  private heard(answer: Protocol.Answer): void {
    const [first] = this.waiting
    if (first === undefined) return this.end(new Offline("the server said something that it was not asked"))
    this.pending--
    if (this.pending === 0) this.socket.unref()
    first.answers.push(answer)
    if (first.answers.length < first.size) return
    this.waiting.shift()
    first.resolve(first.answers)
  }

  private end(error: Error): void {
    if (!this.isOpen) return
    this.isOpen = false
    this.socket.destroy()
    for (const { reject } of this.waiting.splice(0)) reject(error)
    this.lost(this)
  }
}

/** The lines of an answer that has any number of them, on a connection of its own. */
export async function* lines(location: Location, command: Protocol.Command): AsyncGenerator<string, void> {
  const socket = await opened(location)
  socket.once("timeout", () => socket.destroy(new Offline("the server went silent")))
  try {
    const say = (one: Protocol.Command) => {
      for (const piece of one) socket.write(piece)
    }
    // this command has to come alone
    if (location.user === undefined) say(command)
    else say(Protocol.signIn(location.user, location.password))
    let rest = ""
    for await (const part of socket.setEncoding("latin1")) {
      const found = (rest + String(part)).split(/\r?\n/)
      rest = found.pop() ?? ""
      for (const line of found) {
        if (line === "END") return
        if (line === "STORED") say(command)
        else yield line
      }
    }
    throw new Offline("the connection was lost")
  } finally {
    socket.destroy()
  }
}
