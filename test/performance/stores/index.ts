/**
 * `npm run bench:stores`: what each engine costs beside the driver, or the system call, that it stands on, and beside the
 * caches and storages of the world outside on the same server or file, in one run. Servers are started for this.
 *
 * Each file here is one engine: who takes part, in which versions, why others do not, and a table of `bounds`. What is
 * held against peers is a cache of records, decoded and validated by their Schema, its loads shared; peers only parse.
 */
import type { Suite } from "../suite.js"
import { suite } from "./engine.js"
import { file } from "./file.js"
import { memcached } from "./memcached.js"
import { object } from "./object.js"
import { postgres } from "./postgres.js"
import { redis } from "./redis.js"
import { sqlite } from "./sqlite.js"

export const stores: Readonly<Record<`stores:${string}`, Suite>> = {
  "stores:sqlite": suite(sqlite),
  "stores:file": suite(file),
  "stores:postgres": suite(postgres),
  "stores:redis": suite(redis),
  "stores:memcached": suite(memcached),
  "stores:object": suite(object)
}
