/**
 * What the runtime reads off an effect to know what to do with it.
 *
 * That is Effect's own business, so it is read off an effect that has it; should it ever look different, what could be
 * answered at once takes one step more and all else is as it was.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"

interface Instruction {
  readonly _op?: unknown
  readonly effect_instruction_i0?: unknown
}

const sample = Effect.sync(() => 1) as Instruction

/** The name of an effect that is expanded when it is run. */
export const asCommit = "Commit"
/** The name of an effect that is one synchronous call. */
export const asSync = sample._op === "Sync" && typeof sample.effect_instruction_i0 === "function" ? "Sync" : asCommit

/** What the effect comes to, if that needs no fiber: it is there already, or it is one synchronous call. */
export const immediate = <A, E, R>(effect: Effect.Effect<A, E, R>): Exit.Exit<A, E> | undefined => {
  if (Exit.isExit(effect)) return effect as Exit.Exit<A, E>
  if (asSync === asCommit || (effect as Instruction)._op !== asSync) return undefined
  try {
    // as the runtime does with it
    return Exit.succeed((effect as unknown as { readonly effect_instruction_i0: () => A }).effect_instruction_i0())
  } catch (defect) {
    return Exit.die(defect)
  }
}
