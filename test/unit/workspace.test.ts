/** What makes a checkout comfortable names things that are there: files, scripts, routes of the editor, forms of issues. */
import { assert, describe, it } from "@effect/vitest"
import { spawnSync } from "node:child_process"
import * as fs from "node:fs"
import { tmpdir } from "node:os"
import { basename, join } from "node:path"
import { fileURLToPath } from "node:url"
import ts from "typescript"
import { parse } from "yaml"

const root = fileURLToPath(new URL("../..", import.meta.url))
const read = (file: string): string => fs.readFileSync(join(root, file), "utf8")
const exists = (file: string): boolean => fs.existsSync(join(root, file))

/** JSON with comments, as editors read it. */
const jsonc = (file: string): unknown => {
  const { config, error } = ts.parseConfigFileTextToJson(file, read(file))
  assert.isUndefined(error, file)
  return config
}

interface Launch {
  readonly configurations: ReadonlyArray<{
    readonly name: string
    readonly request: string
    readonly program?: string
    readonly args?: ReadonlyArray<string>
  }>
}

describe("the editor", () => {
  it("can launch what there is: the demo, the current test, and whatever runs already", () => {
    const { configurations } = jsonc(".vscode/launch.json") as Launch
    const names = configurations.map(({ name }) => name)
    assert.includeMembers(names, ["Run the demo", "Debug the current test", "Attach"])
    for (const { program } of configurations) {
      const file = program?.replace("${workspaceFolder}/", "") ?? "package.json"
      assert.isTrue(file === "${file}" || exists(file), file)
    }
  })

  it("formats as the gate does, and the dev container has the same extensions", () => {
    const settings = jsonc(".vscode/settings.json") as Record<string, Record<string, string> & string>
    const { recommendations } = jsonc(".vscode/extensions.json") as { readonly recommendations: ReadonlyArray<string> }
    assert.include(recommendations, settings["[typescript][javascript][json][jsonc]"]!["editor.defaultFormatter"])
    assert.isTrue(exists(settings["typescript.tsdk"]!))
    const container = jsonc(".devcontainer/devcontainer.json") as {
      readonly customizations: { readonly vscode: { readonly extensions: ReadonlyArray<string> } }
    }
    assert.deepStrictEqual(container.customizations.vscode.extensions, recommendations)
  })
})

describe("a working checkout", () => {
  it("is made by one command, which the dev container uses, and which is told of", () => {
    const { postCreateCommand, build } = jsonc(".devcontainer/devcontainer.json") as {
      readonly postCreateCommand: string
      readonly build: { readonly dockerfile: string; readonly context: string }
    }
    assert.strictEqual(postCreateCommand, "scripts/setup.sh")
    const dockerfile = read(join(".devcontainer", build.dockerfile))
    for (const [, file] of dockerfile.matchAll(/^COPY (\S+)/gm)) {
      assert.isTrue(exists(join(".devcontainer", build.context, file!)), file)
    }
    for (const page of ["CONTRIBUTING.md", "README.md"]) assert.include(read(page), "scripts/setup.sh")
  })

  it("knows whether anything is missing", () => {
    const { status, stdout } = spawnSync("bash", ["scripts/setup.sh", "--check"], { cwd: root, encoding: "utf8" })
    assert.strictEqual(status, 0, stdout)
    assert.match(stdout, /^node +v\d+.*\nsystem .*\n(.*\n)?packages +there$/m)
  })

  it("says what is missing where that is not there", () => {
    const check = (...programs: ReadonlyArray<string>) => {
      const bin = fs.mkdtempSync(join(tmpdir(), "larder-setup-"))
      for (const program of programs) fs.symlinkSync(program, join(bin, basename(program)))
      const env = { PATH: bin }
      const done = spawnSync("/bin/bash", ["scripts/setup.sh", "--check"], { cwd: root, encoding: "utf8", env })
      fs.rmSync(bin, { recursive: true })
      return done
    }
    const withoutNode = check("/usr/bin/dirname")
    assert.strictEqual(withoutNode.status, 1)
    assert.match(withoutNode.stderr, /Node 20\.19 or later is needed; there is none/)
    const withNode = check("/usr/bin/dirname", process.execPath)
    assert.strictEqual(withNode.status, 0, "a server that is missing is no reason to stop")
    assert.match(withNode.stdout, /missing.*: python3 make g\+\+ redis-server postgresql memcached chromium$/m)
  })
})

interface Form {
  readonly name: string
  readonly description: string
  readonly body: ReadonlyArray<{
    readonly type: string
    readonly id?: string
    readonly attributes: { readonly label?: string; readonly value?: string; readonly options?: ReadonlyArray<unknown> }
  }>
}

describe("issues and pull requests", () => {
  const folder = ".github/ISSUE_TEMPLATE"
  const forms = fs.readdirSync(join(root, folder)).filter((name) => name !== "config.yml")

  it("have forms that ask what has to be known", () => {
    assert.sameMembers(forms, ["bug.yml", "feature.yml", "question.yml"])
    for (const file of forms) {
      const { body, description, name } = parse(read(join(folder, file))) as Form
      assert.isNotEmpty(name)
      assert.isNotEmpty(description)
      const ids = body.flatMap(({ id }) => id ?? [])
      assert.strictEqual(new Set(ids).size, ids.length)
      for (const { attributes, type } of body) {
        assert.include(["markdown", "textarea", "input", "dropdown", "checkboxes"], type)
        assert.isNotEmpty(attributes.label ?? attributes.value)
        if (type === "dropdown" || type === "checkboxes") assert.isNotEmpty(attributes.options)
      }
    }
  })

  it("the bug form knows every store", () => {
    const { body } = parse(read(join(folder, "bug.yml"))) as Form
    const stores = fs
      .readdirSync(join(root, "src/store"))
      .flatMap((name) => (name.endsWith("Store.ts") ? [name.slice(0, -3)] : []))
    assert.includeMembers(
      [...(body.find(({ id }) => id === "store")?.attributes.options ?? [])] as Array<string>,
      stores
    )
  })

  it("the checklist of a pull request is the one that reviews are held to", () => {
    const points = (text: string) => Array.from(text.matchAll(/^- (?:\[ \] )?\*\*([^*]+)\*\*/gm), ([, point]) => point)
    const asked = points(read(".github/pull_request_template.md"))
    assert.isNotEmpty(asked)
    assert.deepStrictEqual(asked, points(read("docs/dev/review.md")))
  })
})
