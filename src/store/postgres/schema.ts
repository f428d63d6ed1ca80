/**
 * The tables, and the functions that change them. `{p}` is the store's prefix, which is a name that needs no quotes.
 *
 * - `{p}_regions.epoch` is the counter. `floor` is the epoch before which no load may have started, to be stored;
 *   `entry_floor` the same for entries that are there; `tag_floor` for whatever has tags (it rises when old tags are
 *   forgotten).
 * - `{p}_fences` remembers when a key was last deleted or set, in 256 slots a region: keys that share one share its fate.
 * - `{p}_entries` is found by a digest of the key, for an index cannot hold long ones.
 *
 * Each change is one call of a function, and so one round trip. It takes the row of its region first, whoever changes the
 * counter alone and whoever stores a load beside others: a function sees in each of its statements what was committed
 * before that statement, so what it looks at after that is not changed by anybody before it ends.
 *
 * Reading is a statement, which is prepared: to plan it anew would take the server longer than to run it. Where nothing can
 * be prepared, for a pooler hands out another connection each time, it is a function, whose plan is kept as well.
 */

export const slots = 256
export const maxTags = 10_000

/** Bump it when a migration is added. */
export const version = 2

/** What anybody may run at the same time as anybody else: the lock is held to the end of the transaction. */
export const lock = "SELECT pg_advisory_xact_lock(hashtext($1))"

export const versionTable = `CREATE TABLE IF NOT EXISTS {p}_version (version integer NOT NULL)`
export const readVersion = "SELECT version FROM {p}_version"
export const writeVersion = `WITH gone AS (DELETE FROM {p}_version) INSERT INTO {p}_version VALUES (${version})`

const outdated = (epoch: string, tags: string): string => `(${epoch} < r.entry_floor OR ${tags} IS NOT NULL AND (
  ${epoch} < r.tag_floor OR EXISTS (
    SELECT 1 FROM {p}_tags t WHERE t.region = r.id AND t.tag = ANY (${tags}) AND t.epoch > ${epoch})))`

/** What changes a region, each in one call. */
const functions: ReadonlyArray<string> = [
  `CREATE OR REPLACE FUNCTION {p}_set(
     of bigint, digests bytea[], keys text[], sinces bigint[], fences integer[], ends double precision[],
     tag_lists jsonb[], contents bytea[]
   ) RETURNS void LANGUAGE plpgsql AS $$
   DECLARE r {p}_regions;
   BEGIN
     IF array_position(sinces, NULL) IS NULL THEN
       SELECT * INTO r FROM {p}_regions WHERE id = of FOR SHARE;
     ELSE
       UPDATE {p}_regions SET epoch = epoch + 1 WHERE id = of RETURNING * INTO r;
       INSERT INTO {p}_fences
         SELECT DISTINCT of, w.slot, r.epoch FROM unnest(fences, sinces) w (slot, since) WHERE w.since IS NULL
         ON CONFLICT (region, slot) DO UPDATE SET epoch = excluded.epoch;
     END IF;
     INSERT INTO {p}_entries (region, digest, epoch, reclaim_at, tags, key, value)
       SELECT of, w.digest, coalesce(w.since, r.epoch), w.ends, w.tags, w.key, w.content
       FROM (
         SELECT u.digest, u.key, u.since, u.slot, u.ends, u.content,
           CASE WHEN u.list IS NULL THEN NULL ELSE ARRAY(SELECT jsonb_array_elements_text(u.list)) END AS tags
         FROM unnest(digests, keys, sinces, fences, ends, tag_lists, contents)
           u (digest, key, since, slot, ends, list, content)
       ) w
       WHERE w.since IS NULL OR (
         w.since >= r.floor
         AND NOT EXISTS (
           SELECT 1 FROM {p}_fences f WHERE f.region = of AND f.slot = w.slot AND f.epoch > w.since)
         AND NOT ${outdated("w.since", "w.tags")})
       ORDER BY w.digest
       ON CONFLICT (region, digest) DO UPDATE SET
         epoch = excluded.epoch, reclaim_at = excluded.reclaim_at, tags = excluded.tags, key = excluded.key,
         value = excluded.value
       WHERE excluded.epoch >= {p}_entries.epoch;
   END $$`,
  `CREATE OR REPLACE FUNCTION {p}_delete(of bigint, digests bytea[], fences integer[]) RETURNS bigint LANGUAGE plpgsql AS $$
   DECLARE r {p}_regions; count bigint;
   BEGIN
     UPDATE {p}_regions SET epoch = epoch + 1 WHERE id = of RETURNING * INTO r;
     INSERT INTO {p}_fences SELECT DISTINCT of, slot, r.epoch FROM unnest(fences) slot
       ON CONFLICT (region, slot) DO UPDATE SET epoch = excluded.epoch;
     SELECT count(*) INTO count FROM {p}_entries e
       WHERE e.region = of AND e.digest = ANY (digests) AND NOT ${outdated("e.epoch", "e.tags")};
     DELETE FROM {p}_entries e WHERE e.region = of AND e.digest = ANY (digests);
     RETURN count;
   END $$`,
  `CREATE OR REPLACE FUNCTION {p}_bump(of bigint, bumped text[], most integer) RETURNS void LANGUAGE plpgsql AS $$
   DECLARE r {p}_regions; oldest bigint;
   BEGIN
     UPDATE {p}_regions SET epoch = epoch + 1 WHERE id = of RETURNING * INTO r;
     INSERT INTO {p}_tags SELECT DISTINCT of, tag, r.epoch FROM unnest(bumped) tag
       ON CONFLICT (region, tag) DO UPDATE SET epoch = excluded.epoch;
     -- now and then, so that invalidating a tag does not cost a look at all of them
     IF r.epoch % 256 = 0 OR cardinality(bumped) > 256 THEN
       SELECT t.epoch INTO oldest FROM {p}_tags t WHERE t.region = of ORDER BY t.epoch DESC OFFSET most LIMIT 1;
       IF oldest IS NOT NULL THEN
         DELETE FROM {p}_tags t WHERE t.region = of AND t.epoch <= oldest;
         UPDATE {p}_regions SET tag_floor = greatest(tag_floor, oldest) WHERE id = of;
       END IF;
     END IF;
   END $$`,
  `CREATE OR REPLACE FUNCTION {p}_outdate(of bigint, removing boolean) RETURNS bigint LANGUAGE plpgsql AS $$
   DECLARE r {p}_regions; count bigint := 0;
   BEGIN
     SELECT * INTO r FROM {p}_regions WHERE id = of FOR UPDATE;
     IF removing THEN
       SELECT count(*) INTO count FROM {p}_entries e
         WHERE e.region = of AND NOT ${outdated("e.epoch", "e.tags")};
       DELETE FROM {p}_entries e WHERE e.region = of;
     END IF;
     UPDATE {p}_regions SET epoch = epoch + 1, floor = epoch + 1, entry_floor = epoch + 1 WHERE id = of;
     -- what they would outdate is outdated
     DELETE FROM {p}_tags t WHERE t.region = of;
     DELETE FROM {p}_fences f WHERE f.region = of;
     RETURN count;
   END $$`
]

const row = "e.key, e.value, e.tags, e.reclaim_at AS ends"
const columns = `${row}, e.epoch::float8 AS since`

/**
 * The entries of some digests, each by the index. `LIMIT` keeps the planner from turning it round: for a table that it
 * takes for small, as one that is filling, it would read all of the region.
 */
const found = (of: string, digests: string): string => `unnest(${digests}) AS d (digest) CROSS JOIN LATERAL (
  SELECT * FROM {p}_entries one WHERE one.region = ${of} AND one.digest = d.digest LIMIT 1)`

/** The epoch of a region, and what is there of some digests; one row at least. */
const reading = (of: string, digests: string, selected: string): string => `SELECT r.epoch::float8, ${selected}
       FROM {p}_regions r LEFT JOIN LATERAL (SELECT f.* FROM ${found(of, digests)} f) e ON NOT ${outdated("e.epoch", "e.tags")}
       WHERE r.id = ${of}`

/** What finds entries by their digests. */
const finding: ReadonlyArray<string> = [
  `CREATE OR REPLACE FUNCTION {p}_read(of bigint, digests bytea[])
     RETURNS TABLE (epoch float8, key text, value bytea, tags text[], ends float8, since float8)
     LANGUAGE plpgsql STABLE ROWS 1 SET plan_cache_mode TO force_generic_plan SET enable_seqscan TO off AS $$
   BEGIN
     RETURN QUERY ${reading("of", "digests", columns)};
   END $$`,
  `CREATE OR REPLACE FUNCTION {p}_delete(of bigint, digests bytea[], fences integer[]) RETURNS bigint
     LANGUAGE plpgsql SET enable_seqscan TO off AS $$
   DECLARE r {p}_regions; count bigint;
   BEGIN
     UPDATE {p}_regions SET epoch = epoch + 1 WHERE id = of RETURNING * INTO r;
     INSERT INTO {p}_fences SELECT DISTINCT of, slot, r.epoch FROM unnest(fences) slot
       ON CONFLICT (region, slot) DO UPDATE SET epoch = excluded.epoch;
     SELECT count(*) INTO count FROM ${found("of", "digests")} e WHERE NOT ${outdated("e.epoch", "e.tags")};
     DELETE FROM {p}_entries WHERE ctid = ANY (ARRAY(
       SELECT f.place FROM unnest(digests) AS d (digest) CROSS JOIN LATERAL (
         SELECT one.ctid AS place FROM {p}_entries one WHERE one.region = of AND one.digest = d.digest LIMIT 1) f));
     RETURN count;
   END $$`
]

/** `migrations[n]` takes a database from version n to n + 1. Never edit one that was released: append. */
export const migrations = ({ unlogged }: { readonly unlogged: boolean }): ReadonlyArray<ReadonlyArray<string>> => [
  [
    `CREATE TABLE {p}_regions (
       id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
       name text NOT NULL UNIQUE,
       epoch bigint NOT NULL DEFAULT 0,
       floor bigint NOT NULL DEFAULT 0,
       entry_floor bigint NOT NULL DEFAULT 0,
       tag_floor bigint NOT NULL DEFAULT 0
     )`,
    `CREATE TABLE {p}_fences (
       region bigint NOT NULL, slot integer NOT NULL, epoch bigint NOT NULL, PRIMARY KEY (region, slot)
     )`,
    `CREATE TABLE {p}_tags (
       region bigint NOT NULL, tag text NOT NULL, epoch bigint NOT NULL, PRIMARY KEY (region, tag)
     )`,
    `CREATE ${unlogged ? "UNLOGGED " : ""}TABLE {p}_entries (
       region bigint NOT NULL,
       digest bytea NOT NULL,
       epoch bigint NOT NULL,
       reclaim_at double precision NOT NULL,
       tags text[],
       key text NOT NULL,
       value bytea NOT NULL,
       PRIMARY KEY (region, digest)
     )`,
    // compressed already, if at all
    "ALTER TABLE {p}_entries ALTER COLUMN value SET STORAGE EXTERNAL",
    "CREATE INDEX {p}_entries_end ON {p}_entries (reclaim_at) WHERE reclaim_at < 'Infinity'",
    ...functions
  ],
  finding
]

export const listRegions = "SELECT name FROM {p}_regions ORDER BY name"
export const openRegion = "INSERT INTO {p}_regions (name) VALUES ($1) ON CONFLICT DO NOTHING"
export const findRegion = "SELECT id::text AS id FROM {p}_regions WHERE name = $1"

export const read = reading("$1::bigint", "$2::bytea[]", row)
/** The same of one digest, which is the whole key of the index: its plan cannot be another, and takes less to begin. */
export const readOne = `SELECT r.epoch::float8, ${row} FROM {p}_regions r LEFT JOIN {p}_entries e
  ON e.region = $1::bigint AND e.digest = $2::bytea AND NOT ${outdated("e.epoch", "e.tags")} WHERE r.id = $1::bigint`
/** The same where nothing can be prepared. */
export const readUnprepared = "SELECT * FROM {p}_read($1::bigint, $2::bytea[])"

export const readEpoch = "SELECT epoch::float8 AS epoch FROM {p}_regions WHERE id = $1::bigint"

export const set = `SELECT {p}_set($1::bigint, $2::bytea[], $3::text[], $4::bigint[], $5::integer[],
  $6::double precision[], $7::jsonb[], $8::bytea[])`
export const remove = "SELECT {p}_delete($1::bigint, $2::bytea[], $3::integer[])::float8 AS count"
export const bump = `SELECT {p}_bump($1::bigint, $2::text[], ${maxTags})`
export const outdate = "SELECT {p}_outdate($1::bigint, $2)::float8 AS count"

export const inspect = `SELECT ${columns}, r.entry_floor::float8 AS "entryFloor", r.tag_floor::float8 AS "tagFloor",
    t.tag, t.epoch::float8 AS bumped
  FROM {p}_regions r JOIN {p}_entries e ON e.region = r.id AND e.digest = $2
    LEFT JOIN LATERAL (
      SELECT t.tag, t.epoch FROM {p}_tags t
      WHERE t.region = r.id AND t.tag = ANY (e.tags) AND t.epoch > e.epoch ORDER BY t.epoch DESC LIMIT 1
    ) t ON true
  WHERE r.id = $1::bigint`

/** Rows of one page of a listing: a part of the statement, so that its plan is made for as many. */
export const pageSize = 500
export const page = `SELECT ${columns}, e.digest FROM {p}_regions r JOIN {p}_entries e ON e.region = r.id
  WHERE r.id = $1::bigint AND e.digest > $2 AND NOT ${outdated("e.epoch", "e.tags")} ORDER BY e.digest LIMIT ${pageSize}`

export const size = `SELECT count(*)::float8 AS entries, coalesce(sum(length(e.value)), 0)::float8 AS bytes
  FROM {p}_regions r JOIN {p}_entries e ON e.region = r.id
  WHERE r.id = $1::bigint AND e.reclaim_at > $2 AND NOT ${outdated("e.epoch", "e.tags")}`

/** Removes some of what is over; the index finds it. */
export const reclaim = `DELETE FROM {p}_entries WHERE ctid = ANY (ARRAY(
  SELECT ctid FROM {p}_entries WHERE reclaim_at <= $1 AND reclaim_at < 'Infinity' LIMIT 1000 FOR UPDATE SKIP LOCKED))`
