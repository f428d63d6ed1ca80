/** The four policies that are one list: what a use does to it, and which end is given up. */
import type { Policy } from "../Policy.js"
import { Lists } from "./lists.js"

/** `renews`: a use puts a slot at the newest end. */
export const ordered = (options: { readonly renews: boolean; readonly evicts: "oldest" | "newest" }): Policy => {
  const list = new Lists()
  const { evicts, renews } = options
  const use = renews ? (slot: number) => list.renew(0, slot) : () => {}
  return {
    onInsert: (slot) => list.add(0, slot),
    onHit: use,
    onReplace: use,
    remove: (slot) => list.remove(slot),
    evict: () => {
      const slot = evicts === "oldest" ? list.oldest(0) : list.newest(0)
      if (slot >= 0) list.remove(slot)
      return slot
    },
    ranked: () => (evicts === "oldest" ? list.fromNewest(0) : list.fromNewest(0).reverse())
  }
}
