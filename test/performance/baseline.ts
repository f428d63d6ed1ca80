/** Holds a run against an earlier one: the figures behind the claims must not have got worse. */
import { Schema } from "effect"
import { readFileSync } from "node:fs"
import type { Claim } from "./claims.js"
import { show } from "./report.js"
import type { Result } from "./suite.js"

const Earlier = Schema.parseJson(
  Schema.Struct({
    quick: Schema.Boolean,
    machine: Schema.Struct({ cpu: Schema.String, node: Schema.String }),
    suites: Schema.Array(
      Schema.Struct({
        suite: Schema.String,
        claims: Schema.Array(
          Schema.Struct({
            text: Schema.String,
            median: Schema.Number,
            quartiles: Schema.Tuple(Schema.Number, Schema.Number)
          })
        )
      })
    )
  })
)
type Earlier = typeof Earlier.Type

/** What `--json` wrote. */
export const read = (file: string): Earlier => Schema.decodeSync(Earlier)(readFileSync(file, "utf8"))

export interface Change {
  readonly claim: Claim
  readonly before: number
  /** Beyond the tolerance, and the middle halves of both runs lie apart: noise does not explain it. */
  readonly isWorse: boolean
}

/**
 * Ratios and sizes are compared always. Times only with a run on the same processor and version of Node: elsewhere they
 * say more about the machine than about the code. What is not steady is held against its bound only.
 */
export const compare = (
  earlier: Earlier,
  machine: Readonly<Record<string, unknown>>,
  results: ReadonlyArray<readonly [suite: string, result: Pick<Result, "claims">]>,
  tolerance: number
): ReadonlyArray<Change> => {
  const sameMachine = earlier.machine.cpu === machine["cpu"] && earlier.machine.node === machine["node"]
  const before = new Map(
    earlier.suites.flatMap(({ claims, suite }) => claims.map((claim) => [`${suite}: ${claim.text}`, claim]))
  )
  return results.flatMap(([suite, { claims }]) =>
    claims.flatMap((claim) => {
      const past = before.get(`${suite}: ${claim.text}`)
      if (past === undefined || !claim.steady || (claim.unit === "ns" && !sameMachine)) return []
      const isApart = claim.quartiles[0] > past.quartiles[1]
      return [{ claim, before: past.median, isWorse: isApart && claim.median > past.median * (1 + tolerance) }]
    })
  )
}

export const line = ({ before, claim, isWorse }: Change): string => {
  const percent = Math.round((claim.median / before - 1) * 100)
  const change = `${percent > 0 ? "+" : ""}${percent} %`
  const from = `${show(before, claim.unit)} -> ${show(claim.median, claim.unit)}`
  return `  ${isWorse ? "WORSE" : "ok   "}${change.padStart(9)}  ${from}: ${claim.text}`
}
