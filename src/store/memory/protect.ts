/** Makes values safe from being changed by those who share them. */

const isPlain = (value: object): boolean => {
  const prototype: unknown = Object.getPrototypeOf(value)
  return Array.isArray(value) || prototype === Object.prototype || prototype === null
}

/**
 * Effect keeps an object's hash on the object itself, so what may be hashed must stay extensible: its fields are made
 * read-only one by one. What is plain is frozen.
 */
const close = (value: object): void => {
  if (isPlain(value)) {
    Object.freeze(value)
    return
  }
  for (const [field, { configurable, writable }] of Object.entries(Object.getOwnPropertyDescriptors(value))) {
    if (configurable === true && writable === true) Object.defineProperty(value, field, { writable: false })
  }
}

/** What is inside of these is no field, and cannot be closed: bytes, collections, dates, functions. */
const isOpaque = (value: object): boolean =>
  ArrayBuffer.isView(value) ||
  value instanceof ArrayBuffer ||
  value instanceof Map ||
  value instanceof Set ||
  value instanceof Date ||
  value instanceof Promise

/** Deeply: all plain objects, arrays and instances that can be reached by fields. What is closed already is not entered. */
export const protect = (root: unknown): void => {
  const stack: Array<unknown> = [root]
  const seen = new Set<object>()
  while (stack.length > 0) {
    const value = stack.pop()
    if (typeof value !== "object" || value === null || isOpaque(value) || seen.has(value)) continue
    seen.add(value)
    if (Object.isFrozen(value)) continue
    for (const { value: child } of Object.values(Object.getOwnPropertyDescriptors(value))) stack.push(child)
    close(value)
  }
}
