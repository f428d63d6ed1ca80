/** How policies are made and put together. */
import * as Duration from "effect/Duration"
import * as Exit from "effect/Exit"
import { pipeArguments } from "effect/Pipeable"
import type * as CachePolicy from "../../CachePolicy.js"

export const TypeId: CachePolicy.TypeId = "~effect-larder/CachePolicy"

const prototype = {
  [TypeId]: { _X: (_: never): never => _ },
  pipe() {
    return pipeArguments(this, arguments)
  }
}

type Policy<K, A, E, X> = CachePolicy.CachePolicy<K, A, E, X>

export const make = <K, A, E, X>(options: Policy<K, A, E, X>["options"]): Policy<K, A, E, X> =>
  // what the types add is what the settings do where they are read
  Object.freeze(
    Object.assign(Object.create(prototype) as object, { options: Object.freeze({ ...options }) })
  ) as Policy<K, A, E, X>

export const isPolicy = (value: unknown): value is CachePolicy.CachePolicy =>
  typeof value === "object" && value !== null && TypeId in value

type AnyFunction = (...args: ReadonlyArray<unknown>) => unknown

const isFunction = (value: unknown): value is AnyFunction => typeof value === "function"

const isTable = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Duration.isDuration(value) && !Array.isArray(value)

/** A function that answers `undefined` leaves it to the next. */
const orElseFunction = (first: AnyFunction, second: unknown): AnyFunction => {
  const both: AnyFunction = (...args) => {
    const answer = first(...args)
    if (answer !== undefined) return answer
    return isFunction(second) ? second(...args) : second
  }
  // what is marked on either (see `accesses.ts`) is true of both
  return Object.assign(both, isFunction(second) ? second : {}, first)
}

const either = (field: string, first: unknown, second: unknown): unknown => {
  if (first === undefined || second === undefined) return first ?? second
  if (isFunction(first)) return orElseFunction(first, second)
  return field === "failureTimeToLive" && isTable(first) && isTable(second) ? { ...second, ...first } : first
}

/** The settings of both, setting by setting; those of the first win. */
export const orElse = <A extends object, B extends object>(first: A, second: B): A & B => {
  const fields = new Set([...Object.keys(first), ...Object.keys(second)])
  const valueIn = (options: object, field: string) => (options as Readonly<Record<string, unknown>>)[field]
  return Object.fromEntries(
    [...fields].map((field) => [field, either(field, valueIn(first, field), valueIn(second, field))])
  ) as A & B
}

export const ofExit = <A, E, K>(
  timeToLive: (exit: Exit.Exit<A, E>, key: K) => Duration.DurationInput | undefined
): CachePolicy.Options<K, A, E> => ({
  timeToLive: (value, key) => timeToLive(Exit.succeed(value), key),
  failureTimeToLive: (error, key) => timeToLive(Exit.fail(error), key)
})
