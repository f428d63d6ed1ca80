/**
 * Checks what the documentation promises about the code:
 *
 * - every export of a public module has a doc comment with a sentence, `@since` and `@category`;
 * - every relative link and anchor in README.md, CONTRIBUTING.md, CONTRIBUTORS.md, CHANGELOG.md and docs leads somewhere;
 * - every error tag has its section in docs/errors.md, where the error's `docsUrl` points, and every section its error.
 */
import { existsSync, statSync } from "node:fs"
import { join, posix } from "node:path"
import ts from "typescript"
import { filesUnder, publicModules, read, root } from "./lib/modules.mjs"

const problems = []

/** The doc comment right before a node, or undefined. */
const docOf = (node, source) => {
  const ranges = ts.getLeadingCommentRanges(source.text, node.getFullStart()) ?? []
  const texts = ranges.map(({ end, pos }) => source.text.slice(pos, end)).filter((text) => text.startsWith("/**"))
  return texts.at(-1)
}

const exported = (node) =>
  (ts.canHaveModifiers(node) ? (ts.getModifiers(node) ?? []) : []).some(
    (modifier) => modifier.kind === ts.SyntaxKind.ExportKeyword
  )

/** The statements of a module that declare what it exports, each with the names it gives. */
const declarations = (source) => {
  const named = new Map()
  const found = []
  for (const node of source.statements) {
    if (ts.isExportDeclaration(node)) {
      if (
        node.exportClause !== undefined &&
        ts.isNamedExports(node.exportClause) &&
        node.moduleSpecifier === undefined
      ) {
        for (const one of node.exportClause.elements) named.set((one.propertyName ?? one.name).text, one)
      } else {
        found.push({ name: node.exportClause?.getText(source) ?? "*", node })
      }
    } else if (exported(node)) {
      const names = ts.isVariableStatement(node)
        ? node.declarationList.declarations.map((one) => one.name.getText(source))
        : [node.name?.getText(source) ?? "default"]
      found.push({ name: names.join(", "), node })
    }
  }
  for (const node of source.statements) {
    const names = ts.isVariableStatement(node)
      ? node.declarationList.declarations.map((one) => one.name.getText(source))
      : [node.name?.getText?.(source)]
    for (const name of names) {
      const specifier = named.get(name)
      if (specifier !== undefined) found.push({ name, node: docOf(specifier, source) === undefined ? node : specifier })
    }
  }
  return found
}

let exportsSeen = 0
/** A public module, and what it hands on whole. */
const parts = (file) => [
  file,
  ...Array.from(read(file).matchAll(/^export \* from "(\.\/[^"]+)\.js"/gm), ([, path]) =>
    posix.join(posix.dirname(file), `${path}.ts`)
  )
]

for (const file of publicModules().flatMap((module) => parts(module.file))) {
  const source = ts.createSourceFile(file, read(file), ts.ScriptTarget.ES2022, true)
  const documented = new Set()
  for (const { name, node } of declarations(source)) {
    const line = source.getLineAndCharacterOfPosition(node.getStart(source)).line + 1
    const doc = docOf(node, source)
    if (doc?.includes("@internal")) continue
    exportsSeen++
    if (doc === undefined) {
      // An overload, or a namespace that merges with what it belongs to, is told of by the first declaration.
      if (!documented.has(`${name}:${node.kind}`)) problems.push(`${file}:${line}: ${name} has no doc comment`)
      continue
    }
    documented.add(`${name}:${node.kind}`)
    const text = doc
      .replace(/^\/\*\*|\*\/$/g, "")
      .replace(/^\s*\* ?/gm, "")
      .trim()
    const missing = ["@since", "@category"].filter((tag) => !text.includes(tag))
    if (text === "" || text.startsWith("@")) missing.unshift("a sentence that says what it is for")
    if (missing.length > 0) problems.push(`${file}:${line}: the doc comment of ${name} lacks ${missing.join(", ")}`)
  }
}

/** A page without its code, so that what looks like a link or a heading there is not taken for one. */
const prose = (text) => {
  let fence = false
  return text
    .split("\n")
    .map((line) => {
      const edge = /^\s*```/.test(line)
      if (edge) fence = !fence
      return edge || fence ? "" : line
    })
    .join("\n")
}

/** Anchors as GitHub makes them: headings lower-cased, punctuation dropped, spaces to dashes, repeats numbered. */
const anchorsOf = (file) => {
  const text = prose(read(file))
  const seen = new Map()
  const headings = Array.from(text.matchAll(/^#{1,6}\s+(.+?)\s*#*$/gm), ([, heading]) => {
    const slug = heading
      .replace(/\[([^\]]*)\]\([^)]*\)/g, "$1")
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, "")
      .replace(/\s/g, "-")
    const times = seen.get(slug) ?? 0
    seen.set(slug, times + 1)
    return times === 0 ? slug : `${slug}-${times}`
  })
  return new Set([...headings, ...Array.from(text.matchAll(/<a (?:id|name)="([^"]+)"/g), (match) => match[1])])
}

const pages = [
  ...["README.md", "CONTRIBUTING.md", "CONTRIBUTORS.md", "CHANGELOG.md"].filter((page) => existsSync(join(root, page))),
  ...filesUnder("docs", ".md")
]
let linksSeen = 0
for (const page of pages) {
  prose(read(page))
    .split("\n")
    .forEach((line, at) => {
      const plain = line.replace(/`[^`]*`/g, "``")
      for (const [, inline, reference] of plain.matchAll(/\]\(<?([^)\s>]+)>?[^)]*\)|^\[[^\]]+\]:\s+(\S+)/g)) {
        const target = inline ?? reference
        if (/^[a-z][a-z+.-]*:/i.test(target)) continue
        linksSeen++
        const [path, anchor] = target.split("#")
        const file = path === "" ? page : posix.normalize(posix.join(posix.dirname(page), decodeURIComponent(path)))
        if (file.startsWith("..") || !existsSync(join(root, file))) {
          problems.push(`${page}:${at + 1}: ${target} leads nowhere`)
        } else if (anchor !== undefined && statSync(join(root, file)).isFile() && !anchorsOf(file).has(anchor)) {
          problems.push(`${page}:${at + 1}: ${file} has no anchor #${anchor}`)
        }
      }
    })
}

const errorsPage = "docs/errors.md"
// what tests fail with, and what a page answers with, is no error of a program
const errorFiles = filesUnder("src", ".ts").filter((file) => !/^src\/(testing|dashboard)\//.test(file))
const tags = errorFiles.flatMap((file) =>
  Array.from(
    read(file).matchAll(/^export class \w+ extends \w+\.TaggedError[^"]*"(?:[^"]*\/)?(\w+)"/gm),
    ([, tag]) => tag
  )
)
const sections = existsSync(join(root, errorsPage)) ? anchorsOf(errorsPage) : new Set()
for (const tag of tags) {
  if (!sections.has(tag.toLowerCase())) problems.push(`${errorsPage}: no section for the error ${tag}`)
}
for (const [, tag] of prose(existsSync(join(root, errorsPage)) ? read(errorsPage) : "").matchAll(/^## (\w+)$/gm)) {
  if (!tags.includes(tag)) problems.push(`${errorsPage}: ${tag} is no error of this package`)
}

for (const problem of problems) console.error(problem)
console.log(
  `${exportsSeen} exports, ${pages.length} pages, ${linksSeen} links, ${tags.length} errors: ${problems.length} problems`
)
if (problems.length > 0) process.exit(1)
