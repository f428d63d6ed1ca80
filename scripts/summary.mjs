/**
 * Tells how the last test run in CI ended, from what vitest wrote to .ci/results.json. The last line is always
 * `N passed, N failed, N skipped`. Fails when a test did, when one was skipped, and when none has run.
 */
import { existsSync } from "node:fs"
import { join } from "node:path"
import { read, root } from "./lib/modules.mjs"

const results = ".ci/results.json"
const files = existsSync(join(root, results)) ? JSON.parse(read(results)).testResults : []

const tests = files.flatMap(({ assertionResults, name, status }) => {
  const own = assertionResults.map((test) => ({ ...test, file: name }))
  // a file that could not even be loaded has no tests to tell of it
  return status === "failed" && !own.some((test) => test.status === "failed")
    ? [...own, { file: name, fullName: "the file itself", status: "failed" }]
    : own
})
const passed = tests.filter((test) => test.status === "passed")
const failed = tests.filter((test) => test.status === "failed")
const skipped = tests.filter((test) => test.status !== "passed" && test.status !== "failed")

if (tests.length === 0) console.log("no test has run")
for (const { file, fullName } of failed) console.log(`failed:  ${file.replace(`${root}/`, "")}: ${fullName}`)
for (const { file, fullName } of skipped) console.log(`skipped: ${file.replace(`${root}/`, "")}: ${fullName}`)
console.log(`${passed.length} passed, ${failed.length} failed, ${skipped.length} skipped`)
process.exitCode = passed.length > 0 && failed.length === 0 && skipped.length === 0 ? 0 : 1
