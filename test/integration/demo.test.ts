import { assert, beforeAll, describe, it } from "@effect/vitest"
import { spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll } from "vitest"

const root = fileURLToPath(new URL("../..", import.meta.url))
const folder = mkdtempSync(join(tmpdir(), "larder-demo-test-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const { demo: script } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")).scripts as { demo: string }
const [, ...command] = script.split(" ")

/** The demo as `npm run demo` runs it, keeping its answers in a folder of the test's. */
const demo = (name: string, ...args: ReadonlyArray<string>) => {
  const all = [...command, "--folder", join(folder, name), ...args]
  const { status, stderr, stdout } = spawnSync(process.execPath, all, { cwd: root, encoding: "utf8" })
  return { status, stderr, stdout }
}

/** The demo until it prints a text, and then the signal. */
const until = async (text: string, signal: NodeJS.Signals, name: string) => {
  const child = spawn(process.execPath, [...command, "--folder", join(folder, name)], {
    cwd: root,
    stdio: ["ignore", "pipe", "inherit"]
  })
  const ended = once(child, "close")
  let stdout = ""
  for await (const chunk of child.stdout) {
    const before = stdout
    stdout += chunk
    if (stdout.includes(text) && !before.includes(text)) child.kill(signal)
  }
  const [status, killed] = (await ended) as [number | null, NodeJS.Signals | null]
  return { status, killed, stdout }
}

/** The numbers of a row of the table, cache by cache. */
const row = (stdout: string, label: string): ReadonlyArray<number> => {
  const [, cells = ""] = new RegExp(`│ +${label}[^│]*│(.*)│`).exec(stdout) ?? []
  return cells.split("│").map((cell) => Number.parseFloat(cell))
}

const fasterThan = /Warm start: 397 questions answered in .*, (\d+) times faster than working them out/

describe("npm run demo", () => {
  let cold: ReturnType<typeof demo>
  beforeAll(() => {
    cold = demo("full")
  }, 180_000)

  it("works everything out at first, shares loads, and shows what it did", () => {
    const { status, stderr, stdout } = cold
    assert.strictEqual(status, 0, stderr)
    assert.strictEqual(stderr, "")
    assert.include(stdout, "Nothing is known yet")
    assert.match(stdout, /397 questions answered in .*, 309 of them worked out\. Run it again: it starts warm\./)
    const outcomes = ["fresh", "loaded", "joined", "failed"].map((label) => row(stdout, label))
    for (const [cache, gets] of row(stdout, "gets").entries()) {
      assert.strictEqual(
        outcomes.reduce((sum, numbers) => sum + numbers[cache]!, 0),
        gets
      )
    }
    assert.isAbove(row(stdout, "joined")[0]!, 0)
    assert.deepStrictEqual(row(stdout, "tier 1: MemoryStore"), [241, 68])
    assert.deepStrictEqual(row(stdout, "tier 2: SqliteStore"), [241, 68])
    for (const label of ["hit ratio", "time saved by hits"]) assert.isAbove(row(stdout, label)[0]!, 0)
  })

  it("starts warm the second time, at least ten times faster, and says so", () => {
    const { status, stderr, stdout } = demo("full")
    assert.strictEqual(status, 0, stderr)
    assert.include(stdout, "309 answers are known from an earlier run")
    const gets = row(stdout, "gets")
    assert.deepStrictEqual(row(stdout, "fresh"), gets)
    assert.deepStrictEqual(row(stdout, "loaded"), [0, 0])
    assert.deepStrictEqual(row(stdout, "hit ratio"), [100, 100])
    const [, times] = fasterThan.exec(stdout) ?? []
    assert.isAtLeast(Number(times), 10, stdout)
  })

  it("asks anew with --reload", () => {
    const { status, stderr, stdout } = demo("full", "--reload")
    assert.strictEqual(status, 0, stderr)
    assert.notInclude(stdout, "Warm start")
    assert.deepStrictEqual(row(stdout, "fresh"), [0, 0])
    assert.deepStrictEqual(row(stdout, "loaded"), [284, 68])
  }, 180_000)

  it("shows with --trace what a cold and a warm question do", () => {
    // the second time its question is known, and is cold all the same
    demo("full", "--trace")
    const { status, stderr, stdout } = demo("full", "--trace")
    assert.strictEqual(status, 0, stderr)
    const [, before = "", first = "", second = ""] = /^([^]*)\ncold:\n([^]*)\nwarm:\n([^]*)$/.exec(stdout) ?? []
    assert.match(before, fasterThan)
    for (const span of ["question", "larder.store.get", "larder.load", "larder.store.set"]) assert.include(first, span)
    assert.include(second, "question")
    assert.notInclude(second, "larder.")
  })

  it("killed half-way, it knows what it had learnt", async () => {
    // without a terminal the bar is a line now and then
    assert.strictEqual((await until("█", "SIGKILL", "killed")).killed, "SIGKILL")
    const { status, stderr, stdout } = demo("killed")
    assert.strictEqual(status, 0, stderr)
    const [, known] = /^(\d+) answers are known from an earlier run/.exec(stdout) ?? []
    assert.isAbove(Number(known), 0, stdout)
    assert.isBelow(row(stdout, "loaded")[0]!, 240)
    // there was no cold run to compare with, but each answer is kept with what it cost
    const [, times] = fasterThan.exec(demo("killed").stdout) ?? []
    assert.isAtLeast(Number(times), 10)
  }, 180_000)

  it("ends in order when it is interrupted", async () => {
    const { status, stdout } = await until("0/397", "SIGINT", "interrupted")
    assert.strictEqual(status, 130)
    assert.notInclude(stdout, "397/397")
  })

  it("tells how it is used when it is not used so", () => {
    const { status, stderr } = demo("unused", "--nonsense")
    assert.strictEqual(status, 2)
    assert.include(stderr, "--nonsense")
    assert.include(stderr, "npm run demo -- [options]")
    const help = demo("unused", "--help")
    assert.strictEqual(help.status, 0)
    assert.include(help.stdout, "npm run demo -- [options]")
  })

  it("goes on in memory when there can be no file, and says why", async () => {
    writeFileSync(join(folder, "file"), "")
    const { stdout } = await until("0/397", "SIGINT", "file")
    assert.match(stdout, /level=WARN .*using MemoryStore \(cannot create cache folder/)
    assert.include(stdout, "Nothing is known yet")
  })
})
