/**
 * Runs a benchmark on the package as it is published: built, for what runs TypeScript as it stands gives every function
 * its name anew each time it is made, and costs up to a tenth. What is given goes to the benchmark.
 */
import { spawnSync } from "node:child_process"
import { join } from "node:path"
import { root } from "./lib/modules.mjs"

const folder = join(root, "test", "performance")
const run = (file, parameters, env) => {
  const { status } = spawnSync(process.execPath, [...parameters, ...file], { stdio: "inherit", cwd: root, env })
  if (status !== 0) process.exit(status ?? 1)
}

run([join(root, "scripts", "build.mjs")], [], process.env)
run([join(folder, "bench.ts"), ...process.argv.slice(2)], ["--expose-gc", "--import", "tsx"], {
  ...process.env,
  TSX_TSCONFIG_PATH: join(folder, "tsconfig.json")
})
