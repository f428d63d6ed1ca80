/**
 * The extension for an editor, without the editor: what its tree is made of; and the whole of it with a stand-in for the editor's
 * interface, over a store that the real command looks into.
 */
import { assert, describe, it } from "@effect/vitest"
import { Cache } from "effect-larder"
import * as SqliteStore from "effect-larder/SqliteStore"
import { Effect, Schema } from "effect"
import { createRequire } from "node:module"
import * as fs from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import ts from "typescript"
import { folder } from "../fixtures/sqlite/common.js"

const root = fileURLToPath(new URL("../..", import.meta.url))
const place = join(root, "editors/vscode")
const require = createRequire(import.meta.url)

interface Node {
  readonly kind: string
  readonly label: string
  readonly description: string
  readonly tooltip: string
  readonly icon: string
  readonly cache: string
  readonly key?: string
}
const tree = require(join(place, "tree.js")) as {
  readonly caches: (rows: ReadonlyArray<object>) => ReadonlyArray<Node>
  readonly entries: (listings: ReadonlyArray<object>, now: number) => ReadonlyArray<Node>
  readonly complaint: (text: string) => string
}

const now = 1_800_000_000_000
const item = (key: string, more: object = {}) => ({
  key,
  tags: [],
  bytes: 81,
  state: "fresh",
  header: { createdAt: now, freshUntil: now + 90_000, staleUntil: now + 90_000, loadMillis: 5, failed: false },
  value: { json: { name: "Ada" } },
  ...more
})
const entriesOf = (items: ReadonlyArray<object>, isAll = true) => tree.entries([{ name: "users", items, isAll }], now)

describe("the tree", () => {
  it("has a node for each cache, with how much it has", () => {
    const nodes = tree.caches([
      { name: "shop\u0000users", store: "SqliteStore", entries: 1, bytes: 81 },
      { name: "pages", store: "RedisStore", entries: 2_000, bytes: 3_500_000 }
    ])
    assert.deepStrictEqual(
      nodes.map(({ cache, description, label }) => [label, description, cache]),
      [
        ["shop/users", "1 entry, 81 B", "shop\u0000users"],
        ["pages", "2000 entries, 3.3 MiB", "pages"]
      ]
    )
    assert.deepStrictEqual(tree.caches([]), [])
  })

  it("has a node for each entry, with its state, its end and its tags, and its value when it is pointed at", () => {
    const header = item("").header
    const nodes = entriesOf([
      item("7", { tags: ["org:1", { group: "rich" }] }),
      item("8", { state: "stale", header: { ...header, staleUntil: now + 3 * 86_400_000 } }),
      item("9", { header: { ...header, freshUntil: Number.MAX_VALUE } }),
      item("10", { header: { ...header, failed: true } }),
      item("11", { state: "unreadable", header: undefined, value: undefined }),
      item("12", { state: "of a later version" })
    ])
    assert.deepStrictEqual(
      nodes.map(({ description, icon }) => `${description} (${icon})`),
      [
        "fresh for 90 s, 81 B, org:1, group rich (pass)",
        "stale for 3 d more, 81 B (history)",
        "fresh, 81 B (pass)",
        "fresh failure, 81 B (pass)",
        "unreadable, 81 B (error)",
        "of a later version, 81 B (question)"
      ]
    )
    assert.strictEqual(nodes[0]?.tooltip, '{\n  "name": "Ada"\n}')
    assert.match(nodes[4]!.tooltip, /cannot be read/)
    assert.strictEqual(entriesOf([item("a", { value: { text: "x".repeat(5_000) } })])[0]?.tooltip.length, 2_000)
  })

  it("shows keys that would look like something else as what they are, and keeps them for the command", () => {
    const hostile = "a\nb\u001b[31m\u202ec"
    const [node] = entriesOf([item(hostile)])
    assert.deepStrictEqual([node?.label, node?.key], ["a·b·[31m·c", hostile])
  })

  it("says that there is more", () => {
    assert.deepStrictEqual(
      entriesOf([item("1")], false).map(({ kind }) => kind),
      ["entry", "note"]
    )
  })

  it("tells a complaint of the command in one line, with the remedy", () => {
    const said =
      "[12:00:00.000] WARN (#1): larder: x\n\u001b[31merror: there is no /a\u001b[0m\n  try: name the store\nmore"
    assert.strictEqual(tree.complaint(said), "error: there is no /a — try: name the store")
    assert.strictEqual(tree.complaint("no such key\n  try: another\n"), "no such key — try: another")
    assert.strictEqual(tree.complaint("at line 1\ncommand not found\n"), "command not found")
    assert.strictEqual(tree.complaint(""), "")
  })
})

describe("its sources", () => {
  it("are typed as their comments say", () => {
    const program = ts.createProgram(
      ["tree.js", "larder.js"].map((file) => join(place, file)),
      {
        allowJs: true,
        checkJs: true,
        strict: true,
        noEmit: true,
        skipLibCheck: true,
        lib: ["lib.es2023.d.ts"],
        module: ts.ModuleKind.NodeNext,
        target: ts.ScriptTarget.ES2022,
        types: ["node"]
      }
    )
    const found = ts
      .getPreEmitDiagnostics(program)
      .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, "\n"))
    assert.deepStrictEqual(found, [])
  })

  it("do what the manifest promises", () => {
    const text = fs.readFileSync(join(place, "extension.js"), "utf8")
    const { contributes } = JSON.parse(fs.readFileSync(join(place, "package.json"), "utf8")) as {
      readonly contributes: {
        readonly commands: ReadonlyArray<{ readonly command: string }>
        readonly configuration: { readonly properties: Readonly<Record<string, { readonly default: unknown }>> }
        readonly views: { readonly explorer: ReadonlyArray<{ readonly id: string }> }
      }
    }
    for (const { command } of contributes.commands) assert.include(text, `registerCommand("${command}"`.slice(16))
    for (const { id } of contributes.views.explorer) assert.include(text, `"${id}"`)
    const asked = Array.from(text.matchAll(/configured\.get\("(\w+)", (.*)\)/g), ([, name, value]) => [
      name,
      JSON.parse(value!)
    ])
    assert.deepStrictEqual(
      Object.fromEntries(asked.map(([name, value]) => [`larder.${name}`, value])),
      Object.fromEntries(Object.entries(contributes.configuration.properties).map(([name, one]) => [name, one.default]))
    )
  })
})

type Command = (node?: Node) => Promise<void> | void

/** As much of an editor as the extension asks for. */
class Editor {
  readonly commands = new Map<string, Command>()
  readonly shown: Array<string> = []
  readonly told: Array<string> = []
  refreshes = 0
  answer: string | undefined = undefined
  provider:
    | { getChildren: (node?: Node) => Promise<ReadonlyArray<Node>>; getTreeItem: (node: Node) => object }
    | undefined

  constructor(readonly settings: Readonly<Record<string, unknown>>) {}

  get module() {
    const { commands, settings, shown, told } = this
    const editor = this
    const disposable = { dispose: () => {} }
    return {
      TreeItemCollapsibleState: { None: 0, Collapsed: 1 },
      TreeItem: class {
        constructor(
          readonly label: string,
          readonly collapsibleState: number
        ) {}
      },
      ThemeIcon: class {
        constructor(readonly id: string) {}
      },
      EventEmitter: class {
        readonly event = () => disposable
        fire() {
          editor.refreshes++
        }
      },
      workspace: {
        getConfiguration: () => ({ get: (name: string, otherwise: unknown) => settings[name] ?? otherwise }),
        workspaceFolders: [{ uri: { fsPath: root } }],
        openTextDocument: ({ content }: { readonly content: string }) => Promise.resolve(content),
        onDidChangeConfiguration: () => disposable
      },
      window: {
        registerTreeDataProvider: (_: string, provider: NonNullable<Editor["provider"]>) => {
          editor.provider = provider
          return disposable
        },
        showTextDocument: (content: string) => Promise.resolve(shown.push(content)),
        showErrorMessage: (message: string) => told.push(message),
        showWarningMessage: () => Promise.resolve(editor.answer)
      },
      commands: {
        registerCommand: (name: string, command: Command) => {
          commands.set(name, command)
          return disposable
        }
      }
    }
  }

  /** The extension, as an editor starts it. */
  start() {
    const modules = require("node:module") as { _load: (request: string, ...rest: ReadonlyArray<unknown>) => unknown }
    const load = modules._load
    modules._load = (request, ...rest) => (request === "vscode" ? this.module : load(request, ...rest))
    try {
      const file = join(place, "extension.js")
      delete require.cache[file]
      const { activate } = require(file) as { readonly activate: (context: object) => void }
      activate({ subscriptions: [] })
    } finally {
      modules._load = load
    }
    return this.provider!
  }
}

/** Each question starts a process, which compiles what it needs. */
const patience = 120_000

describe("the extension", () => {
  const command = [process.execPath, "--import", "tsx", "src/cli/main.ts"]
  const store = Effect.gen(function* () {
    const filename = join(yield* folder, "cache.db")
    const words = Cache.make("words", {
      key: Schema.String,
      success: Schema.Number,
      lookup: (word: string) => Effect.succeed(word.length)
    })
    yield* Effect.flatMap(words, ({ getMany }) => getMany(["bread", "-salt", "wine"])).pipe(
      Effect.scoped,
      Effect.provide(SqliteStore.layer({ filename }))
    )
    return `sqlite:${filename}`
  })
  const childrenOf = (provider: NonNullable<Editor["provider"]>, node?: Node) =>
    Effect.promise(() => provider.getChildren(node))
  const run = (editor: Editor, name: string, node: Node) => Effect.promise(async () => editor.commands.get(name)!(node))

  it.scopedLive(
    "shows caches and entries, an entry as JSON, and invalidates one if that is meant",
    () =>
      Effect.gen(function* () {
        const editor = new Editor({ command, store: yield* store, limit: 2 })
        const provider = editor.start()
        const [words] = yield* childrenOf(provider)
        assert.deepStrictEqual([words?.label, words?.kind], ["words", "cache"])
        const nodes = yield* childrenOf(provider, words)
        assert.deepStrictEqual(
          nodes.map(({ kind }) => kind),
          ["entry", "entry", "note"]
        )
        const salt = { ...nodes[0]!, key: "-salt", label: "-salt" }
        assert.strictEqual((provider.getTreeItem(salt) as { contextValue: string }).contextValue, "entry")
        yield* run(editor, "larder.show", salt)
        assert.strictEqual((JSON.parse(editor.shown[0]!) as { verdict: string }).verdict, "fresh")
        editor.answer = "Invalidate"
        yield* run(editor, "larder.invalidate", salt)
        assert.strictEqual(editor.refreshes, 1)
        yield* run(editor, "larder.show", salt)
        assert.match(editor.told.at(-1)!, /no entry for this key in words/)
      }),
    patience
  )

  it.scopedLive("invalidates nothing unless somebody says yes", () =>
    Effect.gen(function* () {
      // a command that fails: it is not asked
      const editor = new Editor({ command: ["false"], store: "" })
      editor.start()
      const node = { kind: "entry", label: "7", description: "", tooltip: "", icon: "", cache: "words", key: "7" }
      yield* run(editor, "larder.invalidate", node)
      assert.deepStrictEqual(editor.told, [])
      editor.answer = "Invalidate"
      yield* run(editor, "larder.invalidate", node)
      assert.strictEqual(editor.told.length, 1)
    })
  )

  it.scopedLive(
    "says what is wrong in the tree itself, with the remedy",
    () =>
      Effect.gen(function* () {
        const provider = new Editor({ command, store: "sqlite:/nowhere/cache.db" }).start()
        const [note] = yield* childrenOf(provider)
        assert.deepStrictEqual([note?.kind, note?.icon], ["note", "info"])
        assert.match(note!.label, /there is no \/nowhere\/cache\.db — try: name the store/)
        const [missing] = yield* childrenOf(new Editor({ command: ["no-such-program"], store: "" }).start())
        assert.match(missing!.label, /no-such-program/)
        const [silent] = yield* childrenOf(new Editor({ command: ["echo"], store: "" }).start())
        assert.match(silent!.label, /not answered with JSON/)
      }),
    patience
  )
})
