import { existsSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { defineConfig } from "vitest/config"

const root = fileURLToPath(new URL(".", import.meta.url))
const rooms = ["", "store/", "codec/", "observe/", "testing/"]

/** `effect-larder/X` as users import it, found in the room where its source lives. */
const source = (name: string): string =>
  rooms.map((room) => `${root}src/${room}${name}.ts`).find((file) => existsSync(file)) ?? `effect-larder/${name}`

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
    fakeTimers: { toFake: [] }
  }
})
