/**
 * Arrays as the server has them itself. As text, which is what the driver makes of them, bytes are twice as many, and each
 * element is written, quoted and read character by character, which takes longer than to store it.
 */

/** How an element is written. */
interface Kind<A> {
  /** What the server calls its type; the numbers of those that are built in never change. */
  readonly oid: number
  readonly lengthOf: (element: A) => number
  readonly write: (element: A, to: Buffer, at: number) => void
}

/** Dimensions, whether there may be nulls, the type, how many there are, and the number of the first. */
const headLength = 20

const arrayOf =
  <A>({ lengthOf, oid, write }: Kind<A>) =>
  (elements: ReadonlyArray<A | null>): Buffer => {
    let length = headLength
    for (const element of elements) length += element === null ? 4 : 4 + lengthOf(element)
    const to = Buffer.allocUnsafe(length)
    let at = headLength
    for (const element of elements) {
      const own = element === null ? -1 : lengthOf(element)
      to.writeInt32BE(own, at)
      at += 4
      if (element !== null) {
        write(element, to, at)
        at += own
      }
    }
    ;[1, 1, oid, elements.length, 1].forEach((number, place) => to.writeInt32BE(number, place * 4))
    return to
  }

const eight = () => 8

export const bytea = arrayOf<Uint8Array>({
  oid: 17,
  lengthOf: (bytes) => bytes.byteLength,
  write: (bytes, to, at) => to.set(bytes, at)
})

export const text = arrayOf<string>({
  oid: 25,
  lengthOf: (element) => Buffer.byteLength(element),
  write: (element, to, at) => void to.write(element, at)
})

/** JSON as text, behind the number of its version. */
export const jsonb = arrayOf<string>({
  oid: 3802,
  lengthOf: (element) => 1 + Buffer.byteLength(element),
  write: (element, to, at) => {
    to[at] = 1
    to.write(element, at + 1)
  }
})

export const integer = arrayOf<number>({
  oid: 23,
  lengthOf: () => 4,
  write: (element, to, at) => void to.writeInt32BE(element, at)
})

/** Of whole numbers that are not negative. */
export const bigint = arrayOf<number>({
  oid: 20,
  lengthOf: eight,
  write: (element, to, at) => {
    to.writeInt32BE(Math.floor(element / 2 ** 32), at)
    to.writeUInt32BE(element % 2 ** 32, at + 4)
  }
})

export const double = arrayOf<number>({
  oid: 701,
  lengthOf: eight,
  write: (element, to, at) => void to.writeDoubleBE(element, at)
})
