import { existsSync, readdirSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { defineConfig } from "vitest/config"

const root = fileURLToPath(new URL(".", import.meta.url))
const rooms = readdirSync(`${root}src`, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map((entry) => `${entry.name}/`)

/** `effect-larder/X` as users import it, found in the room where its source lives. */
const source = (name: string): string =>
  ["", ...rooms].map((room) => `${root}src/${room}${name}.ts`).find((file) => existsSync(file)) ??
  `${root}src/${name}/index.ts`

/** Modules that must be covered each for itself, not only on the whole. */
const watched = ["Cache", "Cached", "CacheConfig", "CacheContext", "CacheAdmin"]

export default defineConfig({
  plugins: [
    {
      name: "effect-larder-source",
      enforce: "pre",
      resolveId: (id) =>
        id === "effect-larder"
          ? `${root}src/index.ts`
          : id.startsWith("effect-larder/")
            ? source(id.slice("effect-larder/".length))
            : null
    }
  ],
  test: {
    include: ["test/**/*.test.ts"],
    setupFiles: ["test/setup.ts"],
    pool: "forks",
    maxWorkers: 2,
    minWorkers: 1,
    testTimeout: 60_000,
    fakeTimers: { toFake: [] },
    // In CI the counts are read from a file by .ci/run, which ends with them.
    reporters: process.env["CI"] === undefined ? ["default"] : ["default", "json"],
    outputFile: { json: ".ci/results.json" },
    coverage: {
      provider: "v8",
      include: ["src/**/*.ts"],
      exclude: ["src/index.ts", "src/testing/index.ts"],
      reporter: ["text-summary", "json-summary", "lcov"],
      thresholds: {
        lines: 95,
        branches: 90,
        ...Object.fromEntries(watched.map((name) => [`src/${name}.ts`, { lines: 95 }]))
      }
    }
  }
})
