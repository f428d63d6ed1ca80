/**
 * A region that nothing is written to. What is invalidated is still there, so it is remembered here, and hidden from this
 * program for as long as it runs: keys and tags to a bound, beyond which everything is hidden.
 */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type * as CacheStore from "../../CacheStore.js"
import { noEpoch } from "../epochs.js"

/** Keys, and tags, that are hidden one by one. */
const bound = 10_000

export const make = <A, E>(region: CacheStore.Region<A, E>): CacheStore.Region<A, E> => {
  const keys = new Set<string>()
  const tags = new Set<string>()
  let isAllHidden = false
  const hide = (set: Set<string>, all: ReadonlyArray<string>) => {
    for (const one of all) set.add(one)
    if (set.size > bound) isAllHidden = true
  }
  const isHidden = (key: string, entry: { readonly tags: ReadonlyArray<string> } | undefined): boolean =>
    isAllHidden || keys.has(key) || entry?.tags.some((tag) => tags.has(tag)) === true
  const hideAll = Effect.sync(() => {
    isAllHidden = true
  })
  return {
    ...region,
    near: undefined,
    complete: false,
    getMany: (wanted) =>
      Effect.map(region.getMany(wanted), ({ failure, found }) => ({
        epoch: noEpoch,
        found: found.map((one, index) => (isHidden(wanted[index]!, one?.entry) ? undefined : one)),
        failure
      })),
    // what is set here is older there
    setMany: (writes) =>
      Effect.sync(() =>
        hide(
          keys,
          writes.flatMap(({ key, since }) => (since === undefined ? [key] : []))
        )
      ),
    deleteMany: (wanted) =>
      Effect.sync(() => {
        hide(keys, wanted)
        return 0
      }),
    invalidateTags: (wanted) => Effect.sync(() => hide(tags, wanted)),
    invalidateAll: hideAll,
    clear: Effect.as(hideAll, 0),
    inspect: (key) =>
      Effect.map(region.inspect(key), (all) =>
        all.map((one) => (isHidden(key, one.entry) ? { ...one, entry: undefined } : one))
      ),
    entries: Stream.filter(region.entries, ({ entry, key }) => !isHidden(key, entry))
  }
}
