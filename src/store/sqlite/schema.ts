/**
 * The tables, and the statements over them.
 *
 * - `entries` has a rowid, with a unique index beside it: without rowids (`WITHOUT ROWID`), values of 1 000 bytes made
 *   the file 3.4 times as large, reads 3 times and writes 5 times as slow, because rows that large do not fit a key tree.
 *   `value` comes last, so that what precedes it is read without following the pages a large value spills over to.
 * - `regions.epoch` is the counter. `floor` is the epoch of the last invalidation of "everything" (`clear`, or a batch
 *   too large to be remembered key by key): no load that started before it may be stored. `tag_floor` is the same for
 *   whatever has a tag: it rises when old tags are forgotten, and holds for reading too. `entry_floor` is the same for
 *   all entries: it rises when everything is invalidated without being removed.
 * - `mark` tells whether a row is where it belongs; see mark.ts.
 * - `fences` remembers when a key was last deleted or set, in `slots` slots per region: keys that share a slot share
 *   its fate, which costs a load that could have been stored and never keeps one that should not have been.
 * - `sweep` is how far the search for reclaimable rows has come; see sweep.ts.
 *
 * No index on `reclaim_at`: it would cost every write as much again as the row itself.
 */

/** "LARD": marks the file as ours, so that nobody else's database is ever written to. */
export const applicationId = 0x4c415244

/** Changing this number makes fences of older processes meaningless: it belongs to the schema. */
export const slots = 256

/** A batch of more keys than this is remembered as "everything". */
export const maxFencedKeys = 64

/** About this many tags are remembered in each region, the most recently invalidated ones. */
export const maxTags = 10_000

/** `migrations[n]` takes a database from schema version n to n + 1. Never edit one that was released: append. */
export const migrations: ReadonlyArray<ReadonlyArray<string>> = [
  [
    `CREATE TABLE regions (
       id INTEGER PRIMARY KEY,
       name TEXT NOT NULL UNIQUE,
       epoch INTEGER NOT NULL DEFAULT 0,
       floor INTEGER NOT NULL DEFAULT 0,
       tag_floor INTEGER NOT NULL DEFAULT 0
     )`,
    `CREATE TABLE entries (
       id INTEGER PRIMARY KEY,
       region INTEGER NOT NULL,
       key TEXT NOT NULL,
       epoch INTEGER NOT NULL,
       reclaim_at REAL,
       tags TEXT,
       mark INTEGER NOT NULL,
       value BLOB NOT NULL,
       UNIQUE (region, key)
     )`,
    `CREATE TABLE fences (
       region INTEGER NOT NULL,
       slot INTEGER NOT NULL,
       epoch INTEGER NOT NULL,
       PRIMARY KEY (region, slot)
     ) WITHOUT ROWID`,
    `CREATE TABLE tag_epochs (
       region INTEGER NOT NULL,
       tag TEXT NOT NULL,
       epoch INTEGER NOT NULL,
       PRIMARY KEY (region, tag)
     ) WITHOUT ROWID`,
    `CREATE TABLE sweep (position INTEGER NOT NULL)`,
    `INSERT INTO sweep VALUES (0)`
  ],
  [`ALTER TABLE regions ADD COLUMN entry_floor INTEGER NOT NULL DEFAULT 0`]
]

/**
 * Whether everything, or one of `tags`, was invalidated after `epoch`, given the region's row as `r`. Free where there are
 * no tags, or nothing at all was invalidated since. Tags that rotted on the disk count as outdated then: CASE keeps them
 * from failing the whole statement. Before that their mark tells.
 */
const outdated = (tags: string, epoch: string): string =>
  `(${epoch} < r.entry_floor OR ${tags} IS NOT NULL AND ${epoch} < r.epoch AND CASE
     WHEN ${epoch} < r.tag_floor OR NOT json_valid(${tags}) THEN 1
     ELSE EXISTS (
       SELECT 1 FROM json_each(${tags}) t CROSS JOIN tag_epochs g
       WHERE g.region = r.id AND g.tag = t.value AND g.epoch > ${epoch})
   END)`

const valid = `NOT ${outdated("e.tags", "e.epoch")}`

/** What a reader cannot know already: each column costs a reading some twentieth of its time. */
const columns = "e.value AS value, e.tags AS tags, e.reclaim_at AS reclaimAt, e.epoch AS since, e.mark AS mark"
const row = `e.key AS key, ${columns}`

export const listRegions = "SELECT name FROM regions ORDER BY name"
export const openRegion = "INSERT INTO regions (name) VALUES (?) ON CONFLICT DO NOTHING"
export const findRegion = "SELECT id FROM regions WHERE name = ?"

export const readEpoch = "SELECT epoch FROM regions WHERE id = ?"
/** Read first, in the same transaction: `RETURNING` would cost twice as much as the two. */
export const raiseEpoch = "UPDATE regions SET epoch = ? WHERE id = ?"
export const raiseFloor = "UPDATE regions SET floor = epoch WHERE id = ?"
export const raiseEntryFloor = "UPDATE regions SET entry_floor = epoch WHERE id = ?"

/** The columns of these two are read by their order: see `rows.contentOf`. */
export const readOne = `SELECT r.epoch AS epoch, ${columns}
  FROM regions r LEFT JOIN entries e ON e.region = r.id AND e.key = ? AND ${valid}
  WHERE r.id = ?`

export const readMany = `SELECT r.epoch AS epoch, ${columns}, k.key AS place
  FROM json_each(?) k CROSS JOIN regions r LEFT JOIN entries e ON e.region = r.id AND e.key = k.value AND ${valid}
  WHERE r.id = ?`

/** A row whether or not it is outdated, and by what: the highest epoch that is above its own. */
export const inspect = `SELECT ${columns}, r.entry_floor AS entryFloor, r.tag_floor AS tagFloor,
    (SELECT json_array(g.tag, g.epoch) FROM json_each(CASE WHEN json_valid(e.tags) THEN e.tags ELSE '[]' END) t
      CROSS JOIN tag_epochs g
      WHERE g.region = r.id AND g.tag = t.value AND g.epoch > e.epoch ORDER BY g.epoch DESC LIMIT 1) AS bumped
  FROM regions r JOIN entries e ON e.region = r.id AND e.key = ?
  WHERE r.id = ?`

const places = "(region, key, epoch, reclaim_at, tags, mark, value)"

/** An older load does not take the place of a younger one. */
const replacing = `ON CONFLICT (region, key) DO UPDATE SET
    epoch = excluded.epoch, reclaim_at = excluded.reclaim_at, tags = excluded.tags, mark = excluded.mark,
    value = excluded.value
    WHERE excluded.epoch >= entries.epoch`

/** A statement that writes so many rows, which nothing can forbid. */
export interface Put {
  readonly count: number
  readonly sql: string
}

const put = (count: number): Put => ({
  count,
  sql: `INSERT INTO entries ${places} VALUES ${Array(count).fill("(?, ?, ?, ?, ?, ?, ?)").join(", ")} ${replacing}`
})

export const putOne = put(1)

/**
 * The largest first. 64 rows in one statement cost two thirds of as many statements; more save nothing. As JSON, read by
 * `json_each`, they would cost four times as much.
 */
export const putMany: ReadonlyArray<Put> = [put(64), put(8)]

/** Writes one row unless its key, its tags or everything was invalidated since: in one statement, so without a transaction. */
export const putLoaded = `INSERT INTO entries ${places}
  SELECT r.id, w.key, w.since, w.reclaimAt, w.tags, w.mark, w.value
  FROM (
    SELECT ? AS region, ? AS key, ? AS since, ? AS reclaimAt, ? AS tags, ? AS mark, ? AS value, ? AS slot
  ) w JOIN regions r ON r.id = w.region
  WHERE w.since >= r.floor
    AND NOT EXISTS (SELECT 1 FROM fences f WHERE f.region = r.id AND f.slot = w.slot AND f.epoch > w.since)
    AND NOT ${outdated("w.tags", "w.since")}
  ${replacing}`

export const fence = `INSERT INTO fences (region, slot, epoch) VALUES (?, ?, ?)
  ON CONFLICT (region, slot) DO UPDATE SET epoch = excluded.epoch`

const someKeys = "e.region = ? AND e.key IN (SELECT value FROM json_each(?))"

export const countKeys = `SELECT count(*) AS count FROM entries e JOIN regions r ON r.id = e.region
  WHERE ${someKeys} AND ${valid}`
export const deleteKeys = `DELETE FROM entries AS e WHERE ${someKeys}`

export const countAll = `SELECT count(*) AS count FROM regions r JOIN entries e ON e.region = r.id
  WHERE r.id = ? AND ${valid}`
export const deleteAll = "DELETE FROM entries WHERE region = ?"
export const deleteFences = "DELETE FROM fences WHERE region = ?"
export const deleteTags = "DELETE FROM tag_epochs WHERE region = ?"

export const bump = `INSERT INTO tag_epochs (region, epoch, tag)
  SELECT ?, ?, value FROM json_each(?) WHERE true
  ON CONFLICT (region, tag) DO UPDATE SET epoch = excluded.epoch`

/** The epoch up to which tags must be forgotten, if there are too many. */
export const excessTags = `SELECT epoch FROM tag_epochs WHERE region = ?
  ORDER BY epoch DESC LIMIT 1 OFFSET ${maxTags}`
export const forgetTags = "DELETE FROM tag_epochs WHERE region = ? AND epoch <= ?"
export const raiseTagFloor = "UPDATE regions SET tag_floor = max(tag_floor, ?) WHERE id = ?"

export const size = `SELECT count(*) AS entries, coalesce(sum(length(e.value)), 0) AS bytes
  FROM regions r JOIN entries e ON e.region = r.id
  WHERE r.id = ? AND (e.reclaim_at IS NULL OR e.reclaim_at > ?) AND ${valid}`

const page = (from: string): string =>
  `SELECT ${row} FROM regions r CROSS JOIN entries e ON e.region = r.id
  WHERE r.id = ? AND e.key ${from} ? AND ${valid} ORDER BY e.key LIMIT ?`

export const firstPage = page(">=")
export const nextPage = page(">")

export const sweepPosition = "SELECT position FROM sweep"
export const sweepEnd = "SELECT id FROM entries WHERE id > ? ORDER BY id LIMIT 1 OFFSET ?"
/** What was made first: what is written again keeps its place. */
export const removeOldest = "DELETE FROM entries WHERE id IN (SELECT id FROM entries ORDER BY id LIMIT ?) RETURNING id"

export const moveSweep = "UPDATE sweep SET position = ?"

/**
 * Rows from one id to another that will never be served again. Which region a row is of is looked up only where it may
 * have been invalidated: most have no tags, and few regions were ever invalidated as a whole.
 */
export const reclaim = `DELETE FROM entries AS e
  WHERE e.id > ? AND e.id <= ? AND (
    e.reclaim_at <= ?
    OR (e.tags IS NOT NULL OR e.epoch < (SELECT max(entry_floor) FROM regions))
      AND EXISTS (SELECT 1 FROM regions r WHERE r.id = e.region AND ${outdated("e.tags", "e.epoch")}))`
