import * as Path from "@effect/platform/Path"
import * as NodePath from "@effect/platform-node/NodePath"
import { assert, describe, it } from "@effect/vitest"
import type { Layer } from "effect"
import { ConfigProvider, Effect, Either } from "effect"
import * as CacheError from "effect-larder/CacheError"
import fc from "fast-check"
import * as fs from "node:fs"
import * as os from "node:os"
import * as nodePath from "node:path"
import type { Host } from "../../src/store/internal/paths.js"
import { cacheFolder, ensureFolder, safeName, storeFolder } from "../../src/store/internal/paths.js"

const temporary = Effect.acquireRelease(
  Effect.sync(() => fs.mkdtempSync(nodePath.join(os.tmpdir(), "larder-paths-"))),
  (folder) => Effect.sync(() => fs.rmSync(folder, { recursive: true, force: true }))
)

const umask = (mask: number) =>
  Effect.acquireRelease(
    Effect.sync(() => process.umask(mask)),
    (before) => Effect.sync(() => process.umask(before))
  )

const mode = (path: string) => (fs.statSync(path).mode & 0o777).toString(8)

const resolved = (layer: Layer.Layer<Path.Path>, host: Host) =>
  Effect.flatMap(Path.Path, (path) => cacheFolder(path, host)).pipe(Effect.provide(layer))

describe("the default folder", () => {
  const cases: ReadonlyArray<readonly [string, Layer.Layer<Path.Path>, Host, string]> = [
    [
      "Linux: XDG_CACHE_HOME",
      NodePath.layerPosix,
      { platform: "linux", env: { XDG_CACHE_HOME: "/x/cache" }, home: "/home/u" },
      "/x/cache/effect-larder"
    ],
    [
      "Linux: the home folder",
      NodePath.layerPosix,
      { platform: "linux", env: {}, home: "/home/u" },
      "/home/u/.cache/effect-larder"
    ],
    [
      "Linux: a relative XDG_CACHE_HOME is ignored",
      NodePath.layerPosix,
      { platform: "linux", env: { XDG_CACHE_HOME: "cache" }, home: "/home/u" },
      "/home/u/.cache/effect-larder"
    ],
    [
      "Linux: an empty XDG_CACHE_HOME is ignored",
      NodePath.layerPosix,
      { platform: "linux", env: { XDG_CACHE_HOME: "" }, home: "/home/u" },
      "/home/u/.cache/effect-larder"
    ],
    [
      "the portable Path of @effect/platform does as well",
      Path.layer,
      { platform: "linux", env: {}, home: "/home/u" },
      "/home/u/.cache/effect-larder"
    ],
    [
      "other Unix systems are as Linux",
      NodePath.layerPosix,
      { platform: "freebsd", env: {}, home: "/home/u" },
      "/home/u/.cache/effect-larder"
    ],
    [
      "macOS: Library/Caches, whatever XDG says",
      NodePath.layerPosix,
      { platform: "darwin", env: { XDG_CACHE_HOME: "/x" }, home: "/Users/u" },
      "/Users/u/Library/Caches/effect-larder"
    ],
    [
      "Windows: LOCALAPPDATA",
      NodePath.layerWin32,
      { platform: "win32", env: { LOCALAPPDATA: "D:\\Local" }, home: "C:\\Users\\u" },
      "D:\\Local\\effect-larder"
    ],
    [
      "Windows: the home folder",
      NodePath.layerWin32,
      { platform: "win32", env: {}, home: "C:\\Users\\u" },
      "C:\\Users\\u\\AppData\\Local\\effect-larder"
    ]
  ]
  for (const [name, layer, host, expected] of cases) {
    it.effect(name, () => Effect.map(resolved(layer, host), (folder) => assert.strictEqual(folder, expected)))
  }

  for (const home of [undefined, "", "relative"]) {
    it(`without an absolute home (${String(home)}) is a PathError with the remedy`, () => {
      const error = Either.flip(cacheFolder(nodePath.posix, { platform: "linux", env: {}, home }))
      assert.isTrue(Either.isRight(error))
      assert.include(Either.getOrThrow(error).hint, "LARDER_DIR")
    })
  }

  it.effect("reads XDG_CACHE_HOME through the ConfigProvider, and is the same each time", () =>
    Effect.gen(function* () {
      if (process.platform !== "linux") return
      const folder = storeFolder({}).pipe(
        Effect.withConfigProvider(ConfigProvider.fromMap(new Map([["XDG_CACHE_HOME", "/some/cache"]])))
      )
      assert.strictEqual(yield* folder, "/some/cache/effect-larder")
      assert.strictEqual(yield* folder, yield* folder)
      assert.isFalse(fs.existsSync("/some/cache"), "resolving makes nothing")
    })
  )

  it.effect("a configured folder is used as it is, made absolute", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* storeFolder({ directory: "/data/cache" }), nodePath.resolve("/data/cache"))
      assert.strictEqual(yield* storeFolder({ directory: "cache" }), nodePath.resolve("cache"))
    })
  )
})

describe("safeName", () => {
  const hostile = [
    "",
    ".",
    "..",
    "../../etc/passwd",
    "/etc/passwd",
    "C:\\Windows",
    "\\\\server\\share",
    "a\0b",
    "a/b",
    "a\\b",
    "CON",
    "con",
    "nul.txt",
    "COM1",
    "LPT9.log",
    "trailing.",
    "trailing ",
    "~",
    "-rf",
    "a:b",
    "a*b?",
    "a\nb",
    "Users",
    "users",
    "USERS",
    "größe",
    "gro\u0308ße",
    "日本語",
    "😀",
    "\uD800",
    "\uDC00",
    "\uFFFD",
    "x".repeat(1_000_000)
  ]
  const shape = /^[a-z0-9_]{1,40}-[0-9a-f]{40}$/

  it("is one safe segment for every hostile name, and each has its own", () => {
    for (const name of hostile) assert.match(safeName(name), shape)
    assert.strictEqual(new Set(hostile.map(safeName)).size, hostile.length)
  })

  it("keeps what is readable, and is stable between versions", () => {
    assert.strictEqual(safeName("app/Users"), "app_users-" + safeName("app/Users").slice(-40))
    assert.strictEqual(safeName("users"), "users-a8fa126b5d009c783cd1f5809de849cd290082be")
  })

  it("is injective and safe for any two texts", () => {
    const text = fc.string({ unit: "binary", maxLength: 60 })
    fc.assert(
      fc.property(text, text, (left, right) => {
        assert.match(safeName(left), shape)
        assert.strictEqual(safeName(left) === safeName(right), left === right)
        assert.strictEqual(safeName(left).toLowerCase(), safeName(left))
      })
    )
  })
})

describe.skipIf(process.platform === "win32")("ensureFolder", () => {
  for (const mask of [0o000, 0o022, 0o077, 0o777]) {
    it.scoped(`private is 0700 and shared 0755 under umask ${mask.toString(8).padStart(3, "0")}`, () =>
      Effect.gen(function* () {
        const base = yield* temporary
        yield* umask(mask)
        assert.isTrue(yield* ensureFolder(nodePath.join(base, "p", "q"), "private"))
        assert.isTrue(yield* ensureFolder(nodePath.join(base, "s", "t"), "shared"))
        const modes = ["p", "p/q", "s", "s/t"].map((name) => mode(nodePath.join(base, name)))
        assert.deepStrictEqual(modes, ["700", "700", "755", "755"])
      })
    )
  }

  it.scoped("leaves a folder that stood before, unless it is larder's own", () =>
    Effect.gen(function* () {
      const folder = yield* temporary
      fs.chmodSync(folder, 0o755)
      assert.isFalse(yield* ensureFolder(folder, "private"))
      assert.strictEqual(mode(folder), "755")
      assert.isFalse(yield* ensureFolder(folder, "private", { own: true }))
      assert.strictEqual(mode(folder), "700")
      yield* ensureFolder(folder, "shared", { own: true })
      assert.strictEqual(mode(folder), "755")
    })
  )

  it.scoped("two at the same time both succeed", () =>
    Effect.gen(function* () {
      const folder = nodePath.join(yield* temporary, "a", "b", "c")
      const made = yield* Effect.all(
        Array.from({ length: 10 }, () => ensureFolder(folder, "private")),
        {
          concurrency: "unbounded"
        }
      )
      assert.strictEqual(made.filter((made) => made).length, 1)
    })
  )

  const refused = (folder: string) => Effect.flip(ensureFolder(folder, "private"))

  it.scoped("a file in the way, as the folder or above it, is a PathError that says so", () =>
    Effect.gen(function* () {
      const file = nodePath.join(yield* temporary, "file")
      fs.writeFileSync(file, "")
      for (const folder of [file, nodePath.join(file, "below"), nodePath.join(file, "far", "below")]) {
        const error = yield* refused(folder)
        assert.instanceOf(error, CacheError.PathError)
        assert.strictEqual(error.message, `cannot create cache folder: ${folder}`)
        assert.include(error.hint, "in the way")
      }
      assert.isTrue(fs.statSync(file).isFile())
    })
  )

  it.scoped("hostile paths are a PathError too", () =>
    Effect.gen(function* () {
      const base = yield* temporary
      fs.symlinkSync(nodePath.join(base, "nowhere"), nodePath.join(base, "dangling"))
      for (const name of ["a\0b", "x".repeat(300), "dangling", nodePath.join("dangling", "below")]) {
        assert.include((yield* refused(nodePath.join(base, name))).message, "cannot create cache folder")
      }
    })
  )

  it.scoped.skipIf(process.platform !== "linux")("where nothing can be made it ends with a PathError", () =>
    Effect.gen(function* () {
      assert.include((yield* refused("/proc/larder/deep/er")).message, "cannot create cache folder")
    })
  )

  it.scoped("below a read-only folder it is a PathError with the remedy", () =>
    Effect.gen(function* () {
      const base = yield* temporary
      fs.chmodSync(base, 0o555)
      // root may write anywhere, so the test is somebody else for its while
      yield* Effect.acquireRelease(
        Effect.sync(() => process.getuid?.() === 0 && process.seteuid?.(65_534)),
        () => Effect.sync(() => process.getuid?.() === 0 && process.seteuid?.(0))
      )
      const error = yield* refused(nodePath.join(base, "cache"))
      assert.include(error.message, "cannot create cache folder")
      assert.include(error.hint, "leave to write")
    })
  )
})
