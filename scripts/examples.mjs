/**
 * Compiles and runs every `ts` example of README.md, docs and the doc comments in src: what is shown works. Compiles the
 * editor's snippets as well, with what stands in their gaps at first.
 *
 * An example is a program of its own. It imports the built package by its public name (so build first), is compiled as
 * strictly as the sources, and must end by itself with exit code 0. A line `console.log(...) // => text` is a promise
 * that `text` is printed, in that order. A fence of "```ts no-run" is compiled only: for what needs a server.
 *
 *     node scripts/examples.mjs [part of a file's path]
 */
import { spawn, spawnSync } from "node:child_process"
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { availableParallelism, tmpdir } from "node:os"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import ts from "typescript"
import { filesUnder, read, root } from "./lib/modules.mjs"

const timeLimit = 30_000
const folder = join(root, ".examples")

/** Every fenced `ts` block of a file. `line` is where its first line of code stands, counted from 1. */
const blocksOf = (file) => {
  const inComments = file.endsWith(".ts")
  const lines = read(file).split("\n")
  const fence = inComments ? /^\s*\* ?```(.*)$/ : /^\s*```(.*)$/
  const blocks = []
  let open
  lines.forEach((text, at) => {
    const info = fence.exec(text)?.[1].trim()
    if (open === undefined) {
      if (info !== undefined) {
        const [language = "", ...flags] = info.split(/\s+/)
        open = { file, line: at + 2, language, flags, indent: text.search(/\S/), code: [] }
      }
    } else if (info === "") {
      blocks.push(open)
      open = undefined
    } else {
      open.code.push(inComments ? text.replace(/^\s*\* ?/, "") : text.slice(Math.min(open.indent, text.search(/\S|$/))))
    }
  })
  if (open !== undefined) throw new Error(`${file}:${open.line - 1}: a fence is not closed`)
  return blocks.filter((block) => ["ts", "typescript"].includes(block.language))
}

const snippetsFile = ".vscode/larder.code-snippets"
/** What a snippet takes for granted is imported: an editor adds that by itself. */
const imported = `import { Effect, Layer, Schema } from "effect"
import { Cache, CacheConfig, CacheLog, CacheMetrics, CacheStore, Cached, MemoryStore } from "effect-larder"
import * as SqliteStore from "effect-larder/SqliteStore"`

/** What stands there when a snippet is taken as it comes: each gap's proposal, also where it is repeated. */
const filled = (body) => {
  const proposals = new Map()
  const fill = (text) => {
    const once = text.replace(
      /\$\{(\d+)(?::((?:[^{}]|\{[^{}]*\})*)|\|([^,|]*)[^|]*\|)\}/g,
      (_, gap, proposal, choice) => {
        proposals.set(gap, proposal ?? choice)
        return proposal ?? choice
      }
    )
    return once.replace(/\$(\d+)/g, (_, gap) => proposals.get(gap) ?? "")
  }
  // what is proposed may itself refer to another gap
  return fill(fill(body))
}

const snippets = () => {
  const text = read(snippetsFile)
  return Object.entries(JSON.parse(text)).map(([name, { body }]) => ({
    file: snippetsFile,
    line: text.slice(0, text.indexOf(JSON.stringify(name))).split("\n").length,
    flags: ["no-run"],
    // on one line with the imports, so that line numbers are those of the snippet
    code: `${imported.replaceAll("\n", "; ")}; ${filled([body].flat().join("\n"))}`.split("\n")
  }))
}

const wanted = process.argv[2] ?? ""
const files = ["README.md", ...filesUnder("docs", ".md"), ...filesUnder("src", ".ts")]
const examples = files
  .filter((file) => existsSync(join(root, file)) && file.includes(wanted))
  .flatMap(blocksOf)
  .concat(snippetsFile.includes(wanted) ? snippets() : [])
  .map((block) => ({ ...block, name: `${block.file.replace(/[^\w]+/g, "-")}-${block.line}` }))

const failures = []
const fail = (where, what) =>
  failures.push(`${where}\n${String(what).trim().split("\n").slice(0, 20).join("\n").replace(/^/gm, "    ")}`)

for (const { file, flags, line } of examples) {
  const unknown = flags.filter((flag) => flag !== "no-run")
  if (unknown.length > 0) fail(`${file}:${line - 1}`, `unknown mark: ${unknown.join(" ")}`)
}

/** Written with leading blank lines, so that the compiler's and the runtime's line numbers are those of the page. */
rmSync(folder, { recursive: true, force: true })
mkdirSync(folder)
for (const { code, line, name } of examples) {
  writeFileSync(join(folder, `${name}.ts`), `${"\n".repeat(line - 1)}${code.join("\n")}\nexport {}\n`)
}
/** A message about a generated file, told as one about the page. */
const told = (text) =>
  examples.reduce(
    (all, { file, name }) =>
      all
        .replaceAll(pathToFileURL(join(folder, name)).href, file)
        .replaceAll(join(folder, name), file)
        .replaceAll(`.examples/${name}`, file)
        .replaceAll(`${file}.ts`, file)
        .replaceAll(`${file}.js`, file),
    text
  )

/** Types come from src, so that a mistake is shown where it is; compiled code imports the built package. */
const compile = () => {
  const options = { noUnusedLocals: false, noUnusedParameters: false }
  const config = { extends: "../tsconfig.json", compilerOptions: options, include: ["*.ts"] }
  const path = join(folder, "tsconfig.json")
  writeFileSync(path, JSON.stringify(config))
  const parsed = ts.parseJsonConfigFileContent(config, ts.sys, folder, undefined, path)
  const program = ts.createProgram(parsed.fileNames, parsed.options)
  const ours = program.getSourceFiles().filter((source) => source.fileName.startsWith(folder.replaceAll("\\", "/")))
  const host = { getCanonicalFileName: (name) => name, getCurrentDirectory: () => root, getNewLine: () => "\n" }
  const bad = new Set()
  for (const source of ours) {
    const found = [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)]
    for (const diagnostic of found) {
      const text = told(ts.formatDiagnostic(diagnostic, host))
      fail(/^([^(]+)\((\d+)/.exec(text)?.slice(1, 3).join(":") ?? source.fileName, text)
      bad.add(source.fileName.split("/").pop().slice(0, -3))
    }
    // The map is inlined, so that a stack trace names the line of the page.
    const { outputText } = ts.transpileModule(source.text, {
      fileName: source.fileName.split("/").pop(),
      compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022, inlineSourceMap: true }
    })
    writeFileSync(join(folder, source.fileName.split("/").pop().replace(/\.ts$/, ".js")), outputText)
  }
  return bad
}

/** In a folder of its own, which is also its home, so that it can neither litter nor find anything. */
const run = ({ code, file, line, name }) =>
  new Promise((resolve) => {
    const home = mkdtempSync(join(tmpdir(), "effect-larder-example-"))
    const places = { HOME: home, XDG_CACHE_HOME: home, XDG_CONFIG_HOME: home, TMPDIR: home, USERPROFILE: home }
    const child = spawn(process.execPath, ["--enable-source-maps", join(folder, `${name}.js`)], {
      cwd: home,
      env: { ...process.env, ...places },
      stdio: ["ignore", "pipe", "pipe"]
    })
    let printed = ""
    let complained = ""
    let late = false
    child.stdout.on("data", (chunk) => (printed += chunk))
    child.stderr.on("data", (chunk) => (complained += chunk))
    const timer = setTimeout(() => {
      late = true
      child.kill("SIGKILL")
    }, timeLimit)
    child.on("close", (status, signal) => {
      clearTimeout(timer)
      rmSync(home, { recursive: true, force: true })
      const where = `${file}:${line}`
      if (late) fail(where, `still running after ${timeLimit / 1000} s: an example must end by itself`)
      else if (status !== 0) fail(where, `ended with ${signal ?? status}\n${told(complained)}\n${printed}`)
      else {
        let rest = printed
        code.forEach((text, at) => {
          const promised = /\bconsole\.log\(.*\/\/ => (.*)$/.exec(text)?.[1].trim()
          if (promised === undefined) return
          const found = rest.indexOf(promised)
          if (found < 0) fail(`${file}:${line + at}`, `did not print: ${promised}\nprinted:\n${printed}`)
          else rest = rest.slice(found + promised.length)
        })
      }
      resolve()
    })
  })

const started = Date.now()
const built = spawnSync(process.execPath, ["-e", "import('effect-larder')"], { cwd: root }).status === 0
if (!built) {
  console.error("The built package cannot be imported: run `npm run build` first.")
  process.exit(1)
}
const bad = compile()
const queue = examples.filter((example) => !example.flags.includes("no-run") && !bad.has(example.name))
const count = queue.length
const worker = async () => {
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) await run(next)
}
await Promise.all(Array.from({ length: Math.max(1, availableParallelism()) }, worker))

for (const failure of failures) console.error(`${failure}\n`)
const seconds = ((Date.now() - started) / 1000).toFixed(1)
console.log(`${examples.length} examples compiled, ${count} run, ${failures.length} problems, ${seconds} s`)
if (failures.length > 0) process.exit(1)
rmSync(folder, { recursive: true, force: true })
