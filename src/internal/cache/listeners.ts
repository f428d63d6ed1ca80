/** Who is to be told of something once. Mostly that is one, and then it needs no Set. */
export class Listeners<A> {
  private first: ((value: A) => void) | undefined = undefined
  private others: Set<(value: A) => void> | undefined = undefined

  /** Answers how to have it not called. */
  add(listener: (value: A) => void): () => void {
    if (this.first === undefined) this.first = listener
    else (this.others ??= new Set()).add(listener)
    return () => {
      if (this.first === listener) this.first = undefined
      else this.others?.delete(listener)
    }
  }

  tell(value: A): void {
    this.first?.(value)
    for (const listener of this.others ?? []) listener(value)
  }
}
