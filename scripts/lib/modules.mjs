/**
 * What the folder tree says about the package: the one place that knows how a file in `src` becomes public.
 *
 * The rule: a file is a public module when its name is PascalCase and it stands in `src` itself or directly in one of
 * its rooms (`src/store`, `src/codec`, ...). Everything else (`internal`, lower-case files, deeper folders) is private.
 */
import { readdirSync, readFileSync } from "node:fs"
import { dirname, join, posix, relative, sep } from "node:path"
import { fileURLToPath } from "node:url"

/** The repository's root folder. */
export const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..")

/** A file's text, by its path from the root. */
export const read = (path) => readFileSync(join(root, path), "utf8")

/** Every file below a folder whose name ends so, as paths from the root with forward slashes, sorted. */
export const filesUnder = (folder, ending) => {
  let names
  try {
    names = readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
  } catch (error) {
    if (error.code === "ENOENT") return []
    throw error
  }
  return names
    .filter((entry) => entry.isFile() && entry.name.endsWith(ending))
    .map((entry) =>
      relative(root, join(entry.parentPath ?? entry.path, entry.name))
        .split(sep)
        .join("/")
    )
    .sort()
}

/** The rooms of `src`: its folders but `internal`. */
export const rooms = () =>
  readdirSync(join(root, "src"), { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && entry.name !== "internal")
    .map((entry) => entry.name)
    .sort()

/** Every public module: its name, the room it stands in ("" for `src` itself) and its file. */
export const publicModules = () =>
  ["", ...rooms()]
    .flatMap((room) =>
      readdirSync(join(root, "src", room), { withFileTypes: true })
        .filter((entry) => entry.isFile() && /^[A-Z]\w*\.ts$/.test(entry.name))
        .map((entry) => ({ name: entry.name.slice(0, -3), room, file: posix.join("src", room, entry.name) }))
    )
    .sort((a, b) => (a.name < b.name ? -1 : 1))

const specifiers = (text) =>
  Array.from(
    text
      .replace(/\/\*[\s\S]*?\*\//g, "")
      .matchAll(/(?:^|\n)\s*(?:import|export)\s(?!type\b)[^;"']*?from\s+"([^"]+)"|import\("([^"]+)"\)/g),
    (match) => match[1] ?? match[2]
  )

/** The packages and built-in modules that a file of `src` reaches at run time, itself or through others. */
export const reaches = (file, seen = new Set(), found = new Set()) => {
  if (seen.has(file)) return found
  seen.add(file)
  for (const specifier of specifiers(read(file))) {
    if (specifier.startsWith(".")) {
      reaches(posix.join(posix.dirname(file), specifier.replace(/\.js$/, ".ts")), seen, found)
    } else {
      found.add(specifier)
    }
  }
  return found
}
