/**
 * How long it takes from an empty folder to a first hit: does what docs/getting-started.md tells a newcomer to type, with the
 * package as it would be published, and tells how many seconds each step took. Fails if the whole takes five minutes, or if
 * anything goes otherwise than the page says. Then runs the first program of README.md there, too.
 *
 *     node scripts/quickstart.mjs [--built] [--offline]
 *
 * `--built` takes `dist` as it is, and does not build before. `--offline` lets npm use what it has downloaded before, and
 * nothing else. The time for building and packing, which a user does not need, is not counted.
 */
import { spawnSync } from "node:child_process"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import ts from "typescript"
import { read, root } from "./lib/modules.mjs"

const limit = 5 * 60
const isOffline = process.argv.includes("--offline")

const work = mkdtempSync(join(tmpdir(), "effect-larder-quickstart-"))
process.on("exit", () => rmSync(work, { recursive: true, force: true }))

/** Runs a line as it is typed; answers what it printed. */
const type = (line, cwd) => {
  const { error, status, stderr, stdout } = spawnSync(line, { cwd, shell: true, encoding: "utf8" })
  if (status === 0) return stdout
  console.error(`${line}\n${stdout ?? ""}${stderr ?? ""}${error ?? ""}`)
  process.exit(1)
}

/** The fenced blocks of a page, in order. */
const blocksOf = (page) =>
  Array.from(read(page).matchAll(/^```(\w+)[^\n]*\n([^]*?)^```$/gm), ([, language, text]) => ({ language, text }))
const first = (page, language) => {
  const block = blocksOf(page).find((one) => one.language === language)
  if (block === undefined) throw new Error(`${page} has no block of ${language}`)
  return block.text
}

if (!process.argv.includes("--built")) type("npm run --silent build", root)
type(`npm pack --silent --pack-destination ${JSON.stringify(work)}`, root)
const { name, version } = JSON.parse(read("package.json"))
const tarball = join(work, `${name}-${version}.tgz`)

const page = "docs/getting-started.md"
const folder = join(work, "app")
mkdirSync(folder)
const [install, run] = blocksOf(page).filter(({ language }) => language === "sh")
const file = /Save this as `([^`]+)`/.exec(read(page))?.[1]
if (install === undefined || run === undefined || file === undefined) throw new Error(`${page} is not as it was`)

let total = 0
const timed = (what, step) => {
  const started = performance.now()
  const result = step()
  const seconds = (performance.now() - started) / 1_000
  total += seconds
  console.log(`${seconds.toFixed(1).padStart(6)} s  ${what}`)
  return result
}

/** As JavaScript: the page says which types to leave out. */
const saved = (code) => {
  const options = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 }
  writeFileSync(join(folder, file), ts.transpileModule(code, { compilerOptions: options }).outputText)
}

/** Each `// => text` was printed, in that order. */
const promised = (code, printed) => {
  let from = 0
  for (const [, text] of code.matchAll(/\bconsole\.log\(.*\/\/ => (.*)$/gm)) {
    const at = printed.indexOf(text, from)
    if (at < 0) throw new Error(`did not print: ${text}\nprinted:\n${printed}`)
    from = at + text.length
  }
}

for (const line of install.text.trim().split("\n")) {
  const ours = line.replace(/(^|\s)effect-larder(?=\s|$)/, (_, space) => `${space}${JSON.stringify(tarball)}`)
  const how = isOffline ? " --offline" : " --prefer-offline"
  const typed = ours.startsWith("npm install") ? `${ours}${how} --no-audit --no-fund` : ours
  timed(line, () => type(typed, folder))
}
const code = first(page, "ts")
saved(code)
const printed = timed(run.text.trim(), () => type(run.text.trim(), folder))
promised(code, printed)
if (printed.split("looking up larder").length !== 2) throw new Error(`looked up more than once:\n${printed}`)

const readme = first("README.md", "ts")
saved(readme)
promised(readme, type(run.text.trim(), folder))

console.log(`${total.toFixed(1).padStart(6)} s  from an empty folder to the first hit, of ${limit} s`)
if (total > limit) process.exit(1)
