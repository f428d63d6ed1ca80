import { assert, describe, it } from "@effect/vitest"
import { spawnSync } from "node:child_process"
import { mkdtempSync, readdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll } from "vitest"

const root = fileURLToPath(new URL("../..", import.meta.url))
const folder = mkdtempSync(join(tmpdir(), "larder-examples-test-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** The lines that an example prints; it must end by itself, and well. */
const run = (name: string, ...args: ReadonlyArray<string>): ReadonlyArray<string> => {
  const command = ["--import", "tsx", join("examples", `${name}.ts`), ...args]
  const { status, stderr, stdout } = spawnSync(process.execPath, command, {
    cwd: root,
    encoding: "utf8",
    timeout: 50_000
  })
  assert.strictEqual(status, 0, `${stdout}\n${stderr}`)
  return stdout.split("\n")
}

/** What each prints among other lines. */
const printed: Record<string, ReadonlyArray<string>> = {
  basic: ["100 gets, 1 load: 1 loaded it, 99 joined", "Ada is fresh", "still there: false", "no user 7"],
  "cached-function": ["searched 1 time", "searched 2 times", "rates: 1 hit", "fibonacci(90) = 2880067194370816120"],
  context: [
    "reload: May, version 2",
    "after:  May, version 2",
    "batch:  April, version 3; May, version 4; May, version 4",
    "after:  May, version 2",
    "scratch: true"
  ],
  fallback: ["larder has 6 letters"],
  promise: [
    "Title of page 1, 1 request",
    "RangeError: there is no such page",
    "page 1 is there: false",
    "12 gets: 2 loads, 1 hit"
  ]
}

describe("examples", () => {
  for (const [name, lines] of Object.entries(printed)) {
    it(name, () => {
      const output = run(name)
      let from = 0
      for (const line of lines) {
        const at = output.indexOf(line, from)
        assert.isAtLeast(at, 0, `not printed: ${line}\n${output.join("\n")}`)
        from = at + 1
      }
    })
  }

  it("fallback says what it fell back from", () => {
    const output = run("fallback").join("\n")
    assert.match(output, /kept by MemoryStore, because: cannot create cache folder/)
    assert.include(output, "level=WARN")
  })

  it("disk knows in its second run what it has learnt in the first", () => {
    const file = join(folder, "nested", "primes.db")
    const [answer, ...first] = run("disk", file)
    assert.match(answer ?? "", /^348513 primes below 5 000 000/)
    assert.include(first, "worked out now; run it again")
    assert.match(first.join("\n"), /tier 1: MemoryStore, 1, \d+ bytes\ntier 2: SqliteStore, 1, \d+ bytes/)
    const [sameAnswer, ...second] = run("disk", file)
    assert.strictEqual(sameAnswer, answer)
    assert.include(second, "known from an earlier run")
  })

  it("all of them are tested", () => {
    const files = readdirSync(join(root, "examples")).filter((file) => file.endsWith(".ts"))
    assert.sameMembers(
      files,
      [...Object.keys(printed), "disk"].map((name) => `${name}.ts`)
    )
  })
})
