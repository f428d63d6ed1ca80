/** Builds `dist` from nothing, so that no file of an earlier build is published. */
import { spawnSync } from "node:child_process"
import { rmSync } from "node:fs"
import { join } from "node:path"
import { root } from "./lib/modules.mjs"

rmSync(join(root, "dist"), { recursive: true, force: true })
const compiler = join(root, "node_modules", "typescript", "bin", "tsc")
const { status } = spawnSync(process.execPath, [compiler, "-p", join(root, "tsconfig.build.json")], {
  stdio: "inherit"
})
process.exit(status ?? 1)
