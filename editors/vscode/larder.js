/** The `larder` command, asked for JSON. It is started anew for each question, and without a shell. */
"use strict"

const { execFile } = require("node:child_process")
const { complaint } = require("./tree.js")

/**
 * @typedef {{ command: readonly string[], store: string, folder: string }} Settings
 */

/** How long an answer is waited for: a store that hangs must not leave processes behind. */
const patience = 20_000

/**
 * Rejects with what the command has complained of, in a sentence for a person.
 *
 * @param {Settings} settings
 * @param {string} subcommand
 * @param {readonly string[]} options
 * @param {readonly string[]} names what the subcommand is about: a cache, a key
 * @returns {Promise<unknown>}
 */
const ask = ({ command, folder, store }, subcommand, options = [], names = []) =>
  new Promise((resolve, reject) => {
    const [program = "npx", ...start] = command
    const where = store === "" ? [] : [`--store=${store}`]
    // names that begin with a dash are no options: they are behind the two dashes
    const all = [...start, subcommand, "--json", ...where, ...options, ...(names.length === 0 ? [] : ["--", ...names])]
    execFile(program, all, { cwd: folder, timeout: patience, maxBuffer: 64 * 1024 * 1024 }, (error, printed, said) => {
      if (error !== null) {
        const why = error.killed
          ? `larder has not answered within ${patience / 1000} s`
          : complaint(said) || error.message
        reject(new Error(why))
        return
      }
      try {
        resolve(printed.trim() === "" ? undefined : JSON.parse(printed))
      } catch {
        reject(new Error(`larder has not answered with JSON: ${printed.slice(0, 200)}`))
      }
    })
  })

module.exports = { ask }
