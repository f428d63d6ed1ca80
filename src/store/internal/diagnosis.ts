/** What a driver's error means, for whoever has to do something about it. */
export interface Diagnosis {
  readonly reason: string
  /** Whether trying again may help. */
  readonly transient: boolean
  readonly hint: string
}

/** An address that cannot be reached by several ways is one error of several. */
export const firstOf = (error: unknown): unknown => (error instanceof AggregateError ? error.errors[0] : error)
