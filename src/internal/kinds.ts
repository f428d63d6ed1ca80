/**
 * What kind of object a key value is, told by its prototype, and how it is named in a `KeyError`.
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { quote } from "./keyText.js"

/** One step of the path to a value: a property, an index, or the position in a Map or Set. */
export type Step = string | number | { readonly of: "keys" | "values"; readonly index: number }

const dataStruct: object = Object.getPrototypeOf(Data.struct({}))
const dataArray: object = Object.getPrototypeOf(Data.array([]))

/** The kind of a typed array, also of subclasses (Node's Buffer) and other realms; `undefined` for a DataView. */
export const viewKind: (this: ArrayBufferView) => string | undefined =
  // a getter of the language's own %TypedArray%.prototype, so it is there
  Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype), Symbol.toStringTag)!.get as never

export interface SchemaClass extends Schema.Schema<unknown, unknown> {
  readonly identifier: string
}

/**
 * The Schema class that made an instance with this prototype. A class that extends it without `extend(...)` shares its
 * identifier and may hold more, so it does not count: two classes must not share keys.
 */
export const schemaClassOf = (proto: object): SchemaClass | undefined => {
  const made: unknown = proto.constructor
  return typeof made === "function" &&
    Schema.isSchema(made) &&
    "identifier" in made &&
    typeof made.identifier === "string" &&
    (Object.hasOwn(made, "identifier") || Object.hasOwn(Object.getPrototypeOf(made), "identifier"))
    ? // just looked at, property by property
      (made as unknown as SchemaClass)
    : undefined
}

/** `Object.prototype`, of this realm or another. */
export const isObjectPrototype = (proto: object): boolean =>
  proto === Object.prototype || (Object.getPrototypeOf(proto) === null && Object.hasOwn(proto, "isPrototypeOf"))

/** The prototype of lists, of this realm or another (`Array.prototype` is itself a list), or of Effect's `Data`. */
export const isListPrototype = (proto: object): boolean => Array.isArray(proto) || proto === dataArray

/** `Data.struct`, `Data.case` and `Data.Class`: Effect's own equality takes them for their properties. */
export const isData = (proto: object): boolean =>
  // Schema classes are built on Data.Class, but a subclass of one must not pass for a record
  !Schema.isSchema(proto.constructor) &&
  (proto === dataStruct || Object.prototype.isPrototypeOf.call(dataStruct, proto))

export const showStep = (step: Step): string =>
  typeof step === "number"
    ? `[${step}]`
    : typeof step === "object"
      ? `.${step.of}()[${step.index}]`
      : /^[A-Za-z_$][\w$]*$/.test(step)
        ? `.${step}`
        : `[${quote(step)}]`

export const describe = (value: object, proto: object): string => {
  if (value instanceof Promise) {
    return "is a Promise"
  }
  if (Effect.isEffect(value)) {
    return "is an Effect"
  }
  const name: unknown = typeof proto.constructor === "function" ? proto.constructor.name : undefined
  return typeof name === "string" && name !== "" && name !== "Object"
    ? `is an instance of ${name}, which has no natural encoding`
    : "is an object with a prototype of its own, which has no natural encoding"
}
