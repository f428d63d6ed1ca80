/**
 * Columnar tables, as the streaming format of Apache Arrow (IPC). What is read shares the entry's memory; nothing is
 * parsed.
 *
 * Needs the optional peer `apache-arrow`.
 *
 * @since 0.1.0
 */
import { Table, tableFromIPC, tableToIPC } from "apache-arrow"
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import type * as Codec from "./Codec.js"
import type * as json from "./internal/json.js"
import * as SchemaCodec from "./internal/schemaCodec.js"

/**
 * A Schema of tables, of whatever columns. A filter over it may say which there must be.
 *
 * @since 0.1.0
 * @category schemas
 */
export const TableFromSelf: Schema.Schema<Table> = Schema.declare((value): value is Table => value instanceof Table, {
  identifier: "ArrowTable"
})

const write = (value: unknown): Either.Either<Uint8Array, json.Refusal> =>
  value instanceof Table
    ? Either.right(tableToIPC(value, "stream"))
    : Either.left({ path: [], what: "the Schema must encode to a table" })

/** Buffers of a table have to lie on a boundary of eight bytes. */
const aligned = (bytes: Uint8Array): Uint8Array => (bytes.byteOffset % 8 === 0 ? bytes : bytes.slice())

/**
 * A codec for tables. It validates with the Schema what it reads (by default any table will do).
 *
 * `name` (default `"Arrow"`) and `version` are as for `Json.make`. Both directions answer with a `CodecError`.
 *
 * @example
 * ```ts
 * import { tableFromArrays } from "apache-arrow"
 * import { Either } from "effect"
 * import * as Arrow from "effect-larder/Arrow"
 *
 * const codec = Arrow.make()
 * const prices = tableFromArrays({ item: ["bread", "salt"], price: Float64Array.of(2.5, 1) })
 *
 * const bytes = Either.getOrThrow(codec.encode(prices))
 * console.log(Either.getOrThrow(codec.decode(bytes)).get(1)?.toJSON()) // => { item: 'salt', price: 1 }
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make: {
  (): Codec.Codec<Table>
  <A>(schema: Schema.Schema<A, Table>, options?: Codec.Naming): Codec.Codec<A>
} = <A>(schema?: Schema.Schema<A, Table>, options?: Codec.Naming): Codec.Codec<A> =>
  SchemaCodec.make((schema ?? TableFromSelf) as Schema.Schema<A, Table>, {
    name: options?.name ?? "Arrow",
    id: "effect-larder/Arrow/1",
    version: options?.version,
    write,
    read: (bytes) => Either.right(tableFromIPC(aligned(bytes))),
    malformed: "the bytes are not an Arrow stream",
    losesProto: false
  })
