/**
 * How long a service keeps what is over, in milliseconds. Its own expiry only makes room: whether an entry is served is
 * decided by the clock of whoever reads it, which need not agree with the service's.
 */
const grace = 60_000

/** Milliseconds for which a service has to keep an entry; `Infinity` for ever. */
export const lifeOf = (reclaimAt: number, now: number): number => Math.ceil(Math.max(0, reclaimAt - now) + grace)
