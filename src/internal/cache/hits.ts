/** What is served of the nearest tier, where nothing in force asks for more than a look into it. */
import type * as Fiber from "effect/Fiber"
import type * as CacheStore from "../../CacheStore.js"
import type { Recorder } from "../../observe/internal/recorder.js"
import { localOf } from "../configLocal.js"
import { steady } from "../steady.js"
import { Counters } from "./counters.js"
import type { Hits } from "./get.js"
import type { Definition } from "./model.js"

type AnyFiber = Fiber.RuntimeFiber<unknown, unknown>

/** What `LiveView.find` answers of an entry that may be fresh earlier. */
const notFresh = -2

/** Whether nothing is to be asked, told or counted of a hit but that it was one. */
const isDirect = <K, A, E, R>({ accesses, events, settings, when }: Definition<K, A, E, R>): boolean =>
  settings.mode === "default" && !settings.traceHits && !events.hits && when === undefined && accesses === undefined

export class NearHits<K, A, E, R> implements Hits<K, A> {
  readonly counters = new Counters()
  readonly clock = steady
  private readonly unsafeProbe: (key: K) => string
  /** The nearest tier, if no condition and no mode stands between it and a key, unless by a local override. */
  private hitView: CacheStore.LiveView<A, E> | undefined
  protected readonly near: CacheStore.LiveView<A, E> | undefined
  private readonly recorder: Recorder | undefined

  constructor(readonly definition: Definition<K, A, E, R>) {
    this.near = definition.region.near
    this.recorder = definition.recorder
    this.unsafeProbe = definition.keys.unsafeProbe ?? definition.keys.unsafeEncode
    this.hitView = isDirect(definition) ? this.near : undefined
  }

  hitsOf(): this {
    return this
  }

  /** The nearest tier's answer, where nothing in force asks for more than that. */
  hit(key: K, fiber: AnyFiber): number {
    const view = this.hitView
    if (view === undefined || localOf(fiber.currentContext) !== undefined) return -1
    const id = this.probe(key)
    if (id === undefined) return -1
    const { clock, recorder } = this
    if (recorder !== undefined && recorder.isLooking) recorder.key = id
    if (view.slides) return this.unlessDue(view, view.find(id, clock.now(fiber)), fiber)
    const place = view.find(id, clock.atMost(fiber))
    const found = place === notFresh && clock.isGuessed ? view.find(id, clock.now(fiber)) : place
    return this.definition.early === undefined ? found : this.unlessDue(view, found, fiber)
  }

  /** What may have to be loaded again behind its readers' backs goes the whole way. */
  private unlessDue(view: CacheStore.LiveView<A, E>, place: number, fiber: AnyFiber): number {
    const { early } = this.definition
    if (early === undefined || place < 0) return place
    const now = this.clock.now(fiber)
    return early.mayBeDue(view.createdAtAt(place), view.freshUntilAt(place), view.loadMillisAt(place), now)
      ? notFresh
      : place
  }

  handOut(place: number): A {
    // only `hit` has places, and only from here
    const view = this.hitView as CacheStore.LiveView<A, E>
    this.counters.fresh++
    this.counters.savedMillis += view.loadMillisAt(place)
    const { recorder } = this
    if (recorder !== undefined && --recorder.left < recorder.floor) recorder.hit()
    return view.valueAt(place)
  }

  /** Where to look for the key; the whole way tells what is wrong with one that cannot be a key. */
  private probe(key: K): string | undefined {
    try {
      return this.unsafeProbe(key)
    } catch {
      return undefined
    }
  }

  /** Whether a look into the nearest tier is all that there is to a hit for this fiber. */
  protected isDirectFor(fiber: AnyFiber): boolean {
    return this.hitView !== undefined && localOf(fiber.currentContext) === undefined
  }

  protected noMoreHits(): void {
    this.hitView = undefined
  }
}
