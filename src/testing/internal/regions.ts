/** What the laws of stores are told with: regions of a store under test, and entries to put into them. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type * as CacheEntry from "../../CacheEntry.js"
import * as CacheStore from "../../CacheStore.js"
import * as Envelope from "../../codec/Envelope.js"
import * as Json from "../../codec/Json.js"

export class Refused extends Schema.TaggedError<Refused>()("Refused", { why: Schema.String }) {}

/** What holds of every store. */
export type Law = Effect.Effect<unknown, unknown, CacheStore.CacheStore | Scope.Scope>

export type Region = CacheStore.Region<unknown, Refused>

const codec = Envelope.make({ success: Json.make(Schema.Unknown), failure: Json.make(Refused) })

/** Values are any plain data, failures are `Refused`. */
export const open = (
  name: string,
  limits: Pick<CacheStore.RegionOptions<unknown, Refused>, "timeToIdle" | "timeToLive"> = {}
) => Effect.flatMap(CacheStore.CacheStore, (store) => store.region<unknown, Refused>({ name, codec, ...limits }))

/** The same name, but for numbers only: what has been written there as something else does not decode. */
export const openNumbers = (name: string) =>
  Effect.flatMap(CacheStore.CacheStore, (store) =>
    store.region<number, never>({
      name,
      codec: Envelope.make({ success: Json.make(Schema.Number), failure: undefined })
    })
  )

export interface EntryOptions {
  readonly tags?: ReadonlyArray<string>
  /** Milliseconds from now; default for ever. */
  readonly life?: number
}

export const entryOf = (
  exit: Exit.Exit<unknown, Refused>,
  { life = Infinity, tags = [] }: EntryOptions = {}
): Effect.Effect<CacheEntry.CacheEntry<unknown, Refused>> =>
  Effect.map(Clock.currentTimeMillis, (now) => ({
    exit,
    createdAt: now,
    freshUntil: now + life,
    staleUntil: now + life,
    tags,
    loadMillis: 1,
    keyText: undefined
  }))

/** The epoch to give back with a write. */
export const epochOf = (region: Region) => Effect.map(region.getMany([]), ({ epoch }) => epoch)

export const put = (
  region: Region,
  key: string,
  value: unknown,
  options: EntryOptions & { readonly since?: CacheStore.Epoch | undefined } = {}
) =>
  Effect.flatMap(entryOf(Exit.succeed(value), options), (entry) =>
    region.setMany([{ key, entry, since: options.since }])
  )

/** The Exits that are there, `undefined` for what is not. */
export const exits = (region: Region, ...keys: ReadonlyArray<string>) =>
  Effect.map(region.getMany(keys), ({ found }) => found.map((one) => one?.entry.exit))

/** The values that are there, by key. */
export const values = (region: Region, ...keys: ReadonlyArray<string>) =>
  Effect.map(exits(region, ...keys), (all) =>
    all.map((exit) => (exit !== undefined && Exit.isSuccess(exit) ? exit.value : exit))
  )
