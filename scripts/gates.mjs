/**
 * Runs every gate: format, lint, and each script of package.json whose name begins with `check:`, so that a gate that
 * is added there cannot be forgotten here. One line each; what a failing gate printed follows its line.
 *
 *     node scripts/gates.mjs [part of a name]...
 */
import { spawn } from "node:child_process"
import { read, root } from "./lib/modules.mjs"

const scripts = Object.keys(JSON.parse(read("package.json")).scripts)
/** A script that only runs others, such as `check:types` those for each compiler, is left to them. */
const isGroup = (name) => scripts.some((other) => other.startsWith(`${name}:`))
const gates = ["format:check", "lint", ...scripts.filter((name) => name.startsWith("check:") && !isGroup(name))]

const parts = process.argv.slice(2)
const chosen = gates.filter((gate) => parts.length === 0 || parts.some((part) => gate.includes(part)))
if (chosen.length === 0) {
  console.error(`No gate is named so. There are: ${gates.join(", ")}`)
  process.exit(1)
}

/** One after another: two of them build, and each may use all cores. */
const run = (gate) =>
  new Promise((resolve) => {
    let printed = ""
    const child = spawn("npm", ["run", "--silent", gate], {
      cwd: root,
      shell: process.platform === "win32",
      stdio: ["ignore", "pipe", "pipe"]
    })
    child.stdout.on("data", (chunk) => (printed += chunk))
    child.stderr.on("data", (chunk) => (printed += chunk))
    child.on("error", (error) => resolve({ passed: false, printed: String(error) }))
    child.on("close", (status) => resolve({ passed: status === 0, printed }))
  })

const width = Math.max(...chosen.map((gate) => gate.length))
const failed = []
for (const gate of chosen) {
  const started = Date.now()
  const { passed, printed } = await run(gate)
  const seconds = ((Date.now() - started) / 1000).toFixed(1)
  console.log(`${passed ? "ok    " : "FAILED"} ${gate.padEnd(width)} ${seconds.padStart(6)} s`)
  if (!passed) {
    console.log(printed.trim().replace(/^/gm, "       "))
    failed.push(gate)
  }
}

if (failed.length > 0) {
  console.error(`\n${failed.length} of ${chosen.length} gates failed: ${failed.join(", ")}`)
  process.exit(1)
}
console.log(`\nall ${chosen.length} gates passed`)
