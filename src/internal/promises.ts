/** The way out of Effect for callers who know Promises only. */
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"

/** Rejects with the error itself, as a plain Promise would have, and not with one that Effect has wrapped around it. */
export const settle = async <A, E>(exit: Promise<Exit.Exit<A, E>>): Promise<A> => {
  const settled = await exit
  if (Exit.isSuccess(settled)) return settled.value
  throw Cause.squash(settled.cause)
}
