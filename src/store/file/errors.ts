/** What goes wrong with files, in this project's words. */
import type { PlatformError } from "@effect/platform/Error"
import * as CacheError from "../../CacheError.js"

/** The store's name in errors, spans and logs. */
export const storeName = "FileStore"

const codeOf = (error: PlatformError): string => {
  const { cause } = error as { readonly cause?: unknown }
  const code = typeof cause === "object" && cause !== null && "code" in cause ? String(cause.code) : ""
  return code === "" ? (/\b(E[A-Z]{3,})\b/.exec(error.message)?.[1] ?? "") : code
}

const diagnoses: Readonly<Record<string, { readonly reason: string; readonly hint: string }>> = {
  ENOSPC: { reason: "the disk is full", hint: "free space on the disk, or give the store a smaller maxBytes" },
  EDQUOT: { reason: "this user's quota of the disk is used up", hint: "free space, or give a smaller maxBytes" },
  EROFS: { reason: "the file system is read-only", hint: "mount it writable, or choose another directory" },
  EACCES: { reason: "access is denied", hint: "let this process read and write the store's directory" },
  EPERM: { reason: "access is denied", hint: "let this process read and write the store's directory" },
  EMFILE: { reason: "this process has too many files open", hint: "raise its limit: ulimit -n" },
  EIO: { reason: "the disk failed to read or write", hint: "check the disk" }
}

const diagnose = (error: PlatformError) =>
  diagnoses[codeOf(error)] ?? { reason: error.message, hint: "check the store's directory and its disk" }

/** An operation failed. */
export const ofOperation =
  (operation: string) =>
  (cause: PlatformError): CacheError.StoreError => {
    const { hint, reason } = diagnose(cause)
    return new CacheError.StoreError({
      store: storeName,
      operation,
      reason,
      transient: codeOf(cause) === "EMFILE",
      hint,
      cause
    })
  }

/** The directory cannot be what the store needs. */
export const ofOpening =
  (directory: string) =>
  (cause: PlatformError): CacheError.StoreUnavailable => {
    const { hint, reason } = diagnose(cause)
    return new CacheError.StoreUnavailable({ store: storeName, reason: `${reason}: ${directory}`, hint, cause })
  }

export const isMissing = (error: PlatformError): boolean => error._tag === "SystemError" && error.reason === "NotFound"
