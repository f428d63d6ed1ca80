/** A flight with what it needs on its way. */
import type * as Context from "effect/Context"
import type * as Fiber from "effect/Fiber"
import type * as Runtime from "effect/Runtime"
import { runtimeOf } from "../inherit.js"
import type { Flight } from "./flight.js"

export class Trip<K, A, E> {
  constructor(
    readonly flight: Flight<K, A, E>,
    /** Whoever asked first. */
    readonly caller: Fiber.RuntimeFiber<unknown, unknown>,
    private readonly captured: Context.Context<never> | undefined,
    private kept: Runtime.Runtime<never> | undefined
  ) {}

  /**
   * To run it in, with what the caller had when he asked. A fiber that waits changes nothing of that, and reading it
   * copies all of it, so it is read when it is needed; who stops waiting has it kept before he goes on.
   */
  get runtime(): Runtime.Runtime<never> {
    return (this.kept ??= runtimeOf(this.captured, this.caller))
  }

  keep(): void {
    this.kept = this.runtime
  }
}
