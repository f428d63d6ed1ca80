/** What goes wrong in the terminal, and what a process says of it when it ends. */
import * as ValidationError from "@effect/cli/ValidationError"
import * as Cause from "effect/Cause"
import * as Chunk from "effect/Chunk"
import * as Data from "effect/Data"
import * as CacheError from "../CacheError.js"
import { docsUrl } from "../internal/docsUrl.js"
import { safe } from "./screen.js"

/** 0 it is done, 1 it could not be done, or was found to be bad, 2 it was not said right. */
export const exitCodes = { done: 0, failed: 1, usage: 2 } as const

/** A command was not said right. */
export class Usage extends Data.TaggedError("Usage")<{ readonly reason: string; readonly hint: string }> {
  override get message(): string {
    return this.reason
  }
  get docsUrl(): string {
    return docsUrl(this._tag)
  }
}

/** A command has done its work, and what it was asked about is not well. All has been said of it. */
export class NotWell extends Data.TaggedError("NotWell") {
  override get message(): string {
    return "What was looked at is not well"
  }
  get hint(): string {
    return "read what the command has said before"
  }
  get docsUrl(): string {
    return docsUrl(this._tag)
  }
}

/** What the process ends with. */
export const codeOf = (cause: Cause.Cause<unknown>): number => {
  if (Cause.isEmptyType(cause)) return exitCodes.done
  const failures = Chunk.toReadonlyArray(Cause.failures(cause))
  return failures.some((error) => error instanceof Usage || ValidationError.isValidationError(error))
    ? exitCodes.usage
    : exitCodes.failed
}

const hintOf = (error: object): string | undefined =>
  "hint" in error && typeof error.hint === "string" && error.hint !== "" ? error.hint : undefined

const lines = (error: unknown): ReadonlyArray<string> => {
  if (error instanceof NotWell || ValidationError.isValidationError(error)) return []
  if (error instanceof CacheError.InvalidConfig) {
    return error.issues.flatMap(({ field, hint, reason, value }) => [
      `error: ${safe(`${field} ${value}: ${reason}`)}`,
      `  try: ${safe(hint)}`
    ])
  }
  const hint = typeof error === "object" && error !== null ? hintOf(error) : undefined
  const message = error instanceof Error ? error.message : String(error)
  return [`error: ${safe(message)}`, ...(hint === undefined ? [] : [`  try: ${safe(hint)}`])]
}

/** Where more is told of a command that was not said right. */
export const usageHint = (cause: Cause.Cause<unknown>, command: string | undefined): string | undefined => {
  const isUsage = Chunk.toReadonlyArray(Cause.failures(cause)).some(ValidationError.isValidationError)
  const name = command === undefined || command.startsWith("-") ? "" : ` ${safe(command)}`
  return isUsage ? `  try: larder${name} --help` : undefined
}

/** What a person is told; nothing where all has been said. A defect is told with where it came from. */
export const told = (cause: Cause.Cause<unknown>): string => {
  if (Cause.isInterruptedOnly(cause)) return ""
  const failures = Chunk.toReadonlyArray(Cause.failures(cause))
  return failures.length === 0 ? Cause.pretty(cause) : failures.flatMap(lines).join("\n")
}
