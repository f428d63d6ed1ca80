/**
 * Checks the licence of everything that a user of this package installs with it: its dependencies, its peers, and
 * theirs. A licence that is not on the list is a question for a person, so it fails.
 */
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { root } from "./lib/modules.mjs"

const allowed = new Set([
  "MIT",
  "ISC",
  "Apache-2.0",
  "BSD-2-Clause",
  "BSD-3-Clause",
  "0BSD",
  "BlueOak-1.0.0",
  "CC0-1.0",
  "Unlicense",
  "Python-2.0"
])
const read = (folder) => JSON.parse(readFileSync(join(folder, "package.json"), "utf8"))

/** Where a package is found from inside another: beside it, or in a folder above. */
const find = (name, from) => {
  for (let folder = from; folder.startsWith(root); folder = join(folder, "..")) {
    const place = join(folder, "node_modules", name)
    if (existsSync(join(place, "package.json"))) return place
  }
  return undefined
}

/** "(MIT OR Apache-2.0)": one allowed alternative will do, and of "AND" all must be allowed. */
const isAllowed = (licence) =>
  typeof licence === "string" &&
  licence
    .replace(/[()]/g, "")
    .split(/ OR /)
    .some((one) => one.split(/ AND /).every((part) => allowed.has(part.trim())))

const seen = new Map()
const visit = (folder) => {
  const manifest = read(folder)
  const names = { ...manifest.dependencies, ...manifest.peerDependencies, ...manifest.optionalDependencies }
  for (const name of Object.keys(names)) {
    const place = find(name, folder)
    if (place === undefined || seen.has(place)) continue // an optional one that is not installed
    const { license, licenses, version } = read(place)
    seen.set(place, { name, version, licence: license ?? licenses?.[0]?.type ?? "none" })
    visit(place)
  }
}
visit(root)

const refused = [...seen.values()].filter(({ licence }) => !isAllowed(licence))
for (const { licence, name, version } of refused) console.error(`${name}@${version}: ${licence}`)
console.log(`${seen.size} packages, ${refused.length} with a licence that is not on the list`)
if (refused.length > 0) process.exit(1)
