#!/usr/bin/env node
/** The `larder` command: looks whether what it needs is installed, then runs. */
import { readFileSync } from "node:fs"
import { isInstalled } from "./installed.js"

const needed = ["@effect/cli", "@effect/platform-node"] as const

const missing = needed.filter((name) => !isInstalled(name))
if (missing.length > 0) {
  process.stderr.write(
    `error: larder needs packages that are not installed: ${missing.join(", ")}\n  try: npm install --save-dev ${needed.join(" ")}\n`
  )
  process.exitCode = 1
} else {
  const manifest = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
    readonly version: string
  }
  const { main } = await import("./process.js")
  main(process.argv, manifest.version)
}
