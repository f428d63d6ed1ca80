/**
 * Doubly linked lists of slots, several in one typed array: no allocation but to grow.
 *
 * Place `l` is the head of list `l`, and slot `s` has place `s + lists`. A head is its own neighbour when its list is
 * empty, so that linking and unlinking need no special case. A slot is in one list at most.
 */

const initialSlots = 64

/** From a place's link to the next newer place to its link to the next older one, side by side in one cache line. */
const older = 1

/** `lists` of them, numbered from 0. */
export class Lists {
  private links: Uint32Array

  constructor(private readonly lists = 1) {
    this.links = new Uint32Array(2 * (initialSlots + lists))
    for (let head = 0; head < lists; head++) this.links.fill(head, 2 * head, 2 * head + 2)
  }

  /** Puts a slot that is in no list at a list's newest end. */
  add(list: number, slot: number): void {
    this.insert(slot, this.links[2 * list + older]!)
  }

  /** Puts a slot that is in no list right after another, one step newer; after -1 it is the oldest of list 0. */
  addAfter(other: number, slot: number): void {
    this.insert(slot, other < 0 ? 0 : other + this.lists)
  }

  private insert(slot: number, previous: number): void {
    const place = slot + this.lists
    if (2 * place >= this.links.length) this.grow(place)
    const { links } = this
    const next = links[2 * previous]!
    links[2 * next + older] = place
    links[2 * previous] = place
    links[2 * place + older] = previous
    links[2 * place] = next
  }

  remove(slot: number): void {
    const { links } = this
    const place = slot + this.lists
    const next = links[2 * place]!
    const previous = links[2 * place + older]!
    links[2 * next + older] = previous
    links[2 * previous] = next
  }

  /** Moves a slot to the newest end of a list. */
  renew(list: number, slot: number): void {
    if (this.links[2 * list + older] === slot + this.lists) return
    this.remove(slot)
    this.add(list, slot)
  }

  /** The oldest of a list, or -1 (or below) when it is empty. */
  oldest(list: number): number {
    return this.links[2 * list]! - this.lists
  }

  newest(list: number): number {
    return this.links[2 * list + older]! - this.lists
  }

  /** The next newer one of the same list, or below 0. */
  newer(slot: number): number {
    return this.links[2 * (slot + this.lists)]! - this.lists
  }

  older(slot: number): number {
    return this.links[2 * (slot + this.lists) + older]! - this.lists
  }

  /** Newest first. */
  fromNewest(list: number): Array<number> {
    const slots: Array<number> = []
    for (let slot = this.newest(list); slot >= 0; slot = this.older(slot)) slots.push(slot)
    return slots
  }

  private grow(place: number): void {
    const wider = new Uint32Array(Math.max(2 * (place + 1), this.links.length * 2))
    wider.set(this.links)
    this.links = wider
  }
}
