/**
 * Writes what follows from the folder tree, so that nobody maintains it by hand:
 * `exports` in package.json, `paths` in tsconfig.json, src/index.ts and src/testing/index.ts.
 *
 *     node scripts/exports.mjs            write
 *     node scripts/exports.mjs --check    fail when what stands differs from what would be written
 */
import { existsSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { publicModules, reaches, read, rooms, root } from "./lib/modules.mjs"

const check = process.argv.includes("--check")
const manifest = JSON.parse(read("package.json"))
const modules = publicModules()

const twice = modules.filter((module, at) => modules[at + 1]?.name === module.name)
if (twice.length > 0) {
  console.error(`Two public modules share a name: ${twice.map((module) => module.file).join(", ")}. Rename one.`)
  process.exit(1)
}

/** Rooms whose modules are had by their own subpath only. */
const subpathOnly = new Set(["cli", "dashboard", "eviction", "testing"])
const optional = Object.entries(manifest.peerDependenciesMeta ?? {}).filter(([, meta]) => meta.optional)

/** The barrel holds what needs neither Node nor an optional peer, so that importing it works everywhere. */
const everywhere = (module) =>
  !subpathOnly.has(module.room) &&
  ![...reaches(module.file)].some(
    (name) => name.startsWith("node:") || optional.some(([peer]) => name === peer || name.startsWith(`${peer}/`))
  )

/** The first paragraph of a module's head comment. */
const head = (file) => {
  const comment = /^\s*\/\*\*([\s\S]*?)\*\//.exec(read(file))?.[1]
  const lines = (comment ?? "").split("\n").map((line) => line.replace(/^\s*\* ?/, "").trimEnd())
  const text = lines
    .join("\n")
    .trim()
    .split(/\n\s*\n/)[0]
  return text === "" || text.startsWith("@") ? [] : text.split("\n")
}

const barrel = (title, list, path) => {
  const blocks = list.map((module) => {
    const comment = [...head(module.file), ...(head(module.file).length > 0 ? [""] : []), "@since 0.1.0"]
    const lines = comment.map((line) => ` * ${line}`.trimEnd())
    return ["/**", ...lines, " */", `export * as ${module.name} from "${path(module)}"`].join("\n")
  })
  const note = "Written by scripts/exports.mjs from the folder tree: `npm run exports`."
  return `/**\n * ${title}\n *\n * @since 0.1.0\n */\n// ${note}\n\n${blocks.join("\n\n")}\n`
}

const entry = (file) => {
  const base = file.replace(/^src\//, "./dist/").replace(/\.ts$/, "")
  return { types: `${base}.d.ts`, default: `${base}.js` }
}

const testing = modules.filter((module) => module.room === "testing")
const wanted = {
  "src/index.ts": barrel(
    "The public face of effect-larder: one namespace for each module that needs neither Node nor an optional peer.",
    modules.filter(everywhere),
    (module) => module.file.replace(/^src\//, "./").replace(/\.ts$/, ".js")
  )
}
if (testing.length > 0) {
  wanted["src/testing/index.ts"] = barrel(
    "What authors of stores and plugins test with.",
    testing,
    (module) => `./${module.name}.js`
  )
}

manifest.exports = Object.fromEntries([
  [".", entry("src/index.ts")],
  ["./package.json", "./package.json"],
  // where `docsUrl` of errors leads
  ["./docs/errors.md", "./docs/errors.md"],
  ...(testing.length > 0 ? [["./testing", entry("src/testing/index.ts")]] : []),
  ...modules.map((module) => [`./${module.name}`, entry(module.file)]),
  ["./internal/*", null]
])
wanted["package.json"] = `${JSON.stringify(manifest, null, 2)}\n`

const config = JSON.parse(read("tsconfig.json"))
config.compilerOptions.paths = {
  "effect-larder": ["./src/index.ts"],
  "effect-larder/testing": ["./src/testing/index.ts"],
  "effect-larder/*": ["./src/*.ts", ...rooms().map((room) => `./src/${room}/*.ts`)],
  // what is private, for the benchmarks, which take it from what was built: see test/performance/tsconfig.json
  "larder-internal/*": ["./src/*"]
}
wanted["tsconfig.json"] = `${JSON.stringify(config, null, 2)}\n`

/** Compared as data where it is data, so that a formatter may lay it out as it likes. */
const same = (path, text) => {
  if (!existsSync(join(root, path))) return false
  return path.endsWith(".json")
    ? JSON.stringify(JSON.parse(read(path))) === JSON.stringify(JSON.parse(text))
    : read(path) === text
}

const stale = Object.entries(wanted).filter(([path, text]) => !same(path, text))
for (const [path, text] of stale) {
  if (check) {
    console.error(`${path} does not follow from the folder tree: run \`npm run exports\``)
  } else {
    writeFileSync(join(root, path), text)
    console.log(`wrote ${path}`)
  }
}
console.log(`${modules.length} public modules, ${modules.filter(everywhere).length} of them in the barrel`)
if (check && stale.length > 0) process.exit(1)
