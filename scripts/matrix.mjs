/**
 * Writes docs/stores/matrix.md from the descriptors in the engines themselves, so that the page promises nothing that the
 * code does not. With `--check` it only tells whether the page is what would be written. Needs a build.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { basename, join } from "node:path"
import { pathToFileURL } from "node:url"
import { publicModules, root } from "./lib/modules.mjs"

const page = "docs/stores/matrix.md"

/** Pages of engines that have no page of their own. */
const pages = { KeyvStore: "others.md", PlatformStore: "others.md", PersistenceStore: "others.md" }
const pageOf = (name) => pages[name] ?? `${name.replace(/Store$/, "").toLowerCase()}.md`

const modules = publicModules().filter(({ file }) => /^src\/store\/\w+Store\.ts$/.test(file))
const all = await Promise.all(
  modules.map(async ({ file }) => {
    const built = join(root, "dist", "store", `${basename(file, ".ts")}.js`)
    const { descriptor } = await import(pathToFileURL(built).href)
    if (descriptor === undefined) throw new Error(`${file} has no descriptor`)
    return descriptor
  })
)
const order = ["one program", "one machine's programs", "all programs"]
all.sort((a, b) => order.indexOf(a.orders) - order.indexOf(b.orders) || a.name.localeCompare(b.name))

const yes = (is) => (is ? "yes" : "no")
const rows = all.map(({ capabilities, module, name, needs, orders, reclaims, takes }) => [
  `[${name}](${pageOf(name)})`,
  `\`${module}\``,
  yes(capabilities.live),
  yes(capabilities.persistent),
  yes(capabilities.shared),
  orders,
  reclaims,
  takes,
  needs.length === 0 ? "nothing" : needs.map((one) => `\`${one}\``).join(", ")
])
const head = [
  "engine",
  "import",
  "keeps references",
  "survives the process",
  "seen by several programs",
  "orders what is done by",
  "room is free again",
  "entries",
  "needs"
]
const line = (cells) => `| ${cells.join(" | ")} |`

const text = `# Engines

Made from the engines' own \`descriptor\`s by \`scripts/matrix.mjs\`.

${[head, head.map(() => "---"), ...rows].map(line).join("\n")}

**All of them** keep values and typed failures with their times and tags; invalidate by key, tag, group, predicate and
altogether; drop what an invalidation has overtaken; list, count, clear and explain; take any key and any name; and pass
the same suite, \`StoreLaws\`. All go with all the [combinators](../guide/stores.md#composing-stores).

**Orders what is done by** tells how far that reaches: where it says *all programs*, no load of any program is stored after
an invalidation by any other one that it began before. Where it says *one program*, that holds within each program, and
nobody orders what two of them do in the same moment with the same entries.

**Room is free again** tells when entries that are over make room. They are not served from the moment on in which they
are over, whatever it says here.
`

const path = join(root, page)
if (process.argv.includes("--check")) {
  if (!existsSync(path) || readFileSync(path, "utf8") !== text) {
    console.error(`${page} is not what the engines say: node scripts/matrix.mjs`)
    process.exit(1)
  }
  console.log(`${all.length} engines: ${page} is what they say`)
} else {
  writeFileSync(path, text)
  console.log(`wrote ${page}`)
}
