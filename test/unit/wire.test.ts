/** What servers say that no server should. */
import { assert, describe, it } from "vitest"
import { marker } from "../../src/store/internal/mark.js"
import { Parser } from "../../src/store/memcached/protocol.js"
import { decodeRow } from "../../src/store/redis/rows.js"

describe("what memcached says", () => {
  for (const size of ["x", "-4", "", "1e3"]) {
    it(`is not understood where a value has ${JSON.stringify(size)} bytes, and does not keep the program busy`, () => {
      const parser = new Parser(() => {})
      assert.throws(() => parser.push(Buffer.from(`VA ${size} f\r\nvalue\r\n`)), /nothing that is understood/)
    })
  }
})

describe("what Redis has under a key", () => {
  it("is nothing but itself, whatever it says of its size", () => {
    const mark = marker("region")
    for (const size of ["-25", "-2", "-1", "NaN", "1e9"]) {
      const found = Buffer.from(`life.0 1 - ${size} ${mark("key", 0, "-")}\nbytes`)
      assert.deepStrictEqual(decodeRow(mark, "key", found)?.row.bytes.length, 0, size)
    }
    const whole = Buffer.from(`life.0 1 - 0 ${mark("key", 0, "-")}\nbytes`)
    assert.strictEqual(Buffer.from(decodeRow(mark, "key", whole)!.row.bytes).toString(), "bytes")
  })
})
