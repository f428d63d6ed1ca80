/** A tree of caches and their entries, in the explorer. All that it knows it has from `larder ... --json`. */
"use strict"

const vscode = require("vscode")
const { ask } = require("./larder.js")
const tree = require("./tree.js")

const settings = () => {
  const configured = vscode.workspace.getConfiguration("larder")
  return {
    store: configured.get("store", ""),
    command: configured.get("command", ["npx", "--no-install", "larder"]),
    limit: configured.get("limit", 100),
    folder: vscode.workspace.workspaceFolders?.[0]?.uri.fsPath ?? process.cwd()
  }
}

class Caches {
  constructor() {
    this.changed = new vscode.EventEmitter()
    this.onDidChangeTreeData = this.changed.event
  }

  getTreeItem(node) {
    const { Collapsed, None } = vscode.TreeItemCollapsibleState
    const item = new vscode.TreeItem(node.label, node.kind === "cache" ? Collapsed : None)
    item.description = node.description
    // as text: what programs store must not be taken for markup, or for a command
    item.tooltip = node.tooltip
    item.iconPath = new vscode.ThemeIcon(node.icon)
    item.contextValue = node.kind
    if (node.kind === "entry") item.command = { command: "larder.show", title: "Show", arguments: [node] }
    return item
  }

  async getChildren(node) {
    const current = settings()
    try {
      return node === undefined
        ? tree.caches(await ask(current, "list"))
        : tree.entries(await ask(current, "inspect", [`--limit=${current.limit}`], [node.cache]), Date.now())
    } catch (error) {
      return [tree.note(node?.cache ?? "", error.message, error.message)]
    }
  }
}

/** What a get would find, and why, as a document of its own that is not a file. */
const show = async ({ cache, key }) => {
  const found = await ask(settings(), "explain", [], [cache, key])
  const document = await vscode.workspace.openTextDocument({
    language: "json",
    content: `${JSON.stringify(found, null, 2)}\n`
  })
  await vscode.window.showTextDocument(document, { preview: true })
}

const invalidate = async ({ cache, key, label }) => {
  const yes = "Invalidate"
  const detail = "The next get loads it again, in whatever program."
  const answer = await vscode.window.showWarningMessage(`Invalidate ${label}?`, { modal: true, detail }, yes)
  if (answer === yes) await ask(settings(), "invalidate", ["--yes", "--key", key], [cache])
}

const activate = (context) => {
  const caches = new Caches()
  const refresh = () => caches.changed.fire(undefined)
  /** What goes wrong is told, and harms nothing. */
  const told = (f) => async (node) => {
    try {
      await f(node)
    } catch (error) {
      vscode.window.showErrorMessage(error.message)
    }
  }
  context.subscriptions.push(
    vscode.window.registerTreeDataProvider("larder.caches", caches),
    vscode.commands.registerCommand("larder.refresh", refresh),
    vscode.commands.registerCommand("larder.show", told(show)),
    vscode.commands.registerCommand(
      "larder.invalidate",
      told(async (node) => {
        await invalidate(node)
        refresh()
      })
    ),
    vscode.workspace.onDidChangeConfiguration((event) => {
      if (event.affectsConfiguration("larder")) refresh()
    })
  )
}

module.exports = { activate }
