/**
 * Keys through their Schema: into plain data that `canonical.ts` can write, and back.
 */
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import * as CacheError from "../CacheError.js"
import { isOrderless, isTextOrNumber } from "./schemaAst.js"

export interface KeySchema<in out K> {
  /** Whether text and numbers are encoded as themselves. */
  readonly direct: boolean
  /** Throws a `KeyError`, and nothing else. */
  readonly toPlain: (key: K) => unknown
  readonly fromPlain: (plain: unknown) => Option.Option<K>
}

const showPath = (path: ReadonlyArray<PropertyKey>): string =>
  path
    .map((step) => (typeof step === "number" ? `[${step}]` : `.${String(step)}`))
    .join("")
    .slice(0, 200)

/** The place and kind of the first issue. Not its message: that shows the value, which may be a secret. */
const refused = (error: ParseResult.ParseError): CacheError.KeyError => {
  const issue = ParseResult.ArrayFormatter.formatErrorSync(error)[0]
  return new CacheError.KeyError({
    path: `key${showPath(issue?.path ?? [])}`,
    reason: issue?._tag === "Missing" ? "is missing, says its Schema" : "is refused by its Schema"
  })
}

export const make = <K, I>(schema: Schema.Schema<K, I>): KeySchema<K> => {
  const encode = Schema.encodeUnknownEither(schema)
  const decode = Schema.decodeUnknownEither(schema)
  // the way back where the value itself was written: encoding on the type's own side makes instances of fields
  const remake = Schema.encodeUnknownEither(Schema.typeSchema(schema))
  const orderless = isOrderless(schema.ast)

  // A key may come from code without types, or from arguments, with fields left out that the Schema has defaults for:
  // then it is no `K` yet, but the Schema can make one of it.
  const encodeLoose = (key: unknown): Either.Either<I, ParseResult.ParseError> => {
    const encoded = encode(key)
    return Either.isLeft(encoded) && typeof key === "object" && key !== null
      ? Either.orElse(Either.flatMap(decode(key), encode), () => encoded)
      : encoded
  }

  const normalise = (key: K): Either.Either<unknown, ParseResult.ParseError> => {
    const encoded = encodeLoose(key)
    return orderless ? Either.flatMap(encoded, decode) : encoded
  }

  const toPlain = (key: K): unknown => {
    let plain: Either.Either<unknown, ParseResult.ParseError>
    try {
      plain = normalise(key)
    } catch {
      // a transformation that throws, a cycle, a service that is not there
      throw new CacheError.KeyError({ path: "key", reason: "made its Schema throw" })
    }
    if (Either.isLeft(plain)) {
      throw refused(plain.left)
    }
    return plain.right
  }

  const fromPlain = (plain: unknown): Option.Option<K> => {
    try {
      return Either.getRight(orderless ? remake(plain) : decode(plain))
    } catch {
      return Option.none()
    }
  }

  return { direct: isTextOrNumber(schema.ast), toPlain, fromPlain }
}
