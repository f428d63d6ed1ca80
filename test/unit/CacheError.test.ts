/** Every error tells what went wrong, what to do, and where to read more; and what it says is there. */
import { assert, describe, it } from "@effect/vitest"
import { CacheError } from "effect-larder"
import * as LarderCli from "effect-larder/LarderCli"
import * as fs from "node:fs"
import { createRequire } from "node:module"

const store = "AnyStore"
const cache = "anything"
const reason = "it was told so"
const hint = "look there"

/** One of each. A class that is not here fails the test below. */
const errors = {
  InvalidConfig: CacheError.invalidConfig([{ field: "capacity", value: 0, reason, hint }]),
  StoreUnavailable: new CacheError.StoreUnavailable({ store, reason, hint }),
  StoreError: new CacheError.StoreError({ store, operation: "get", reason, transient: true, hint }),
  StoreTimeout: new CacheError.StoreTimeout({ store, operation: "get", millis: 50 }),
  LoadTimeout: new CacheError.LoadTimeout({ cache, limit: "waitFresh", millis: 50 }),
  LoadRejected: new CacheError.LoadRejected({ cache, concurrency: 2, queue: 0 }),
  KeyError: new CacheError.KeyError({ path: "key.a", reason }),
  CodecError: new CacheError.CodecError({ codec: "Json", operation: "encode", reason }),
  PathError: new CacheError.PathError({ path: "/cache", reason, hint }),
  NotCached: new CacheError.NotCached({ cache }),
  Usage: new LarderCli.Usage({ reason, hint }),
  NotWell: new LarderCli.NotWell()
}

const isErrorClass = (value: unknown): boolean => typeof value === "function" && value.prototype instanceof Error

/** What each must name: a message that says only that something is wrong helps nobody. */
const named: Record<keyof typeof errors, ReadonlyArray<string>> = {
  InvalidConfig: ["capacity", "0", reason],
  StoreUnavailable: [store, reason],
  StoreError: [store, "get", reason],
  StoreTimeout: [store, "get", "50 ms"],
  LoadTimeout: [cache, "50 ms"],
  LoadRejected: [cache, "2 are running"],
  KeyError: ["key.a", reason],
  CodecError: ["Json", "encode", reason],
  PathError: ["/cache", reason],
  NotCached: [cache],
  Usage: [reason],
  NotWell: ["not well"]
}

describe("errors", () => {
  it("all of them are looked at here", () => {
    const classes = [...Object.entries(CacheError), ...Object.entries(LarderCli)].flatMap(([name, value]) =>
      isErrorClass(value) ? [name] : []
    )
    assert.sameMembers(classes, Object.keys(errors))
  })

  const require = createRequire(import.meta.url)
  for (const [name, error] of Object.entries(errors)) {
    it(`${name} says what went wrong, what to do, and where to read more`, () => {
      assert.strictEqual(error._tag, name)
      for (const part of named[name as keyof typeof errors]) assert.include(error.message, part)
      assert.isAbove(error.hint.length, 5)
      const [file = "", section] = error.docsUrl.split("#")
      // as a program that has the package installed resolves it
      const page = fs.readFileSync(require.resolve(file), "utf8")
      const sections = Array.from(page.matchAll(/^## (\w+)$/gm), ([, heading = ""]) => heading.toLowerCase())
      assert.include(sections, section)
      assert.match(page.slice(page.indexOf(`## ${name}\n`)).split("\n## ")[0]!, /What to do/)
    })
  }
})
