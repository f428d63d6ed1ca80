/** Asks a server once for all who ask in one turn. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Runtime from "effect/Runtime"
import { handled } from "../../internal/handled.js"
import { runtimeOf } from "../../internal/inherit.js"
import type { Attempt } from "./limited.js"

interface Seat<Ask, A, E> {
  readonly ask: Ask
  readonly resume: (exit: Exit.Exit<A, E>) => void
}

export class Gather<Ask, A, E> {
  private waiting: Array<Seat<Ask, A, E>> | undefined

  constructor(
    /** What all of them come to, in their order. */
    private readonly run: (asks: ReadonlyArray<Ask>) => Effect.Effect<ReadonlyArray<A>, E>
  ) {}

  /** Who is interrupted meanwhile just does not hear the answer. */
  ask(ask: Ask): Effect.Effect<A, E> {
    return Effect.withFiberRuntime((fiber) =>
      Effect.async((resume) => {
        if (this.waiting === undefined) {
          this.waiting = []
          const runtime = runtimeOf(undefined, fiber)
          // behind all that is to be run already: it may ask, too
          fiber.currentScheduler.scheduleTask(() => this.depart(runtime), 0)
        }
        this.waiting.push({ ask, resume })
      })
    )
  }

  private depart(runtime: Runtime.Runtime<never>): void {
    const seats = this.waiting ?? []
    this.waiting = undefined
    const all = this.run(seats.map(({ ask }) => ask))
    Runtime.runFork(runtime)(handled(all)).addObserver((exit) => {
      seats.forEach(({ resume }, place) => resume(Exit.map(exit, (answers) => answers[place]!)))
    })
  }
}

interface Gathered<Ask, A> {
  readonly asks: Array<Ask>
  readonly attempt: Attempt
  readonly answers: Promise<ReadonlyArray<A>>
}

/** The same of what answers with Promises, which needs no fiber. Whose time is over gives up for all: it was theirs, too. */
export class GatherCalls<Ask, A> {
  private gathered: Gathered<Ask, A> | undefined

  constructor(private readonly run: (asks: ReadonlyArray<Ask>, attempt: Attempt) => Promise<ReadonlyArray<A>>) {}

  async ask(ask: Ask, own: Attempt): Promise<A> {
    const { answers, asks, attempt } = (this.gathered ??= this.begin())
    own.giveUp = () => attempt.giveUp?.()
    const place = asks.push(ask) - 1
    return (await answers)[place]!
  }

  private begin(): Gathered<Ask, A> {
    const asks: Array<Ask> = []
    const attempt: Attempt = { giveUp: undefined }
    // behind all that is to be run already: it may ask, too
    const answers = Promise.resolve().then(() => {
      this.gathered = undefined
      return this.run(asks, attempt)
    })
    return { asks, attempt, answers }
  }
}
