/**
 * An estimate of what a value weighs in memory, in bytes: enough to compare and to bound, not an accounting.
 * Follows V8's usual sizes: 16 bytes of header, 8 a field, 1 or 2 a character.
 */

const header = 16
const word = 8
/** Beyond this many visited nodes the rest is extrapolated from what was seen, so that weighing stays cheap. */
const maxVisited = 2_000

const ofObject = (value: object, push: (child: unknown) => void): number => {
  if (ArrayBuffer.isView(value)) return header + value.byteLength
  if (value instanceof ArrayBuffer) return header + value.byteLength
  if (Array.isArray(value)) {
    for (const child of value) push(child)
    return header + value.length * word
  }
  if (value instanceof Map) {
    for (const [key, child] of value) {
      push(key)
      push(child)
    }
    return header + value.size * 4 * word
  }
  if (value instanceof Set) {
    for (const child of value) push(child)
    return header + value.size * 3 * word
  }
  const fields = Object.values(value)
  for (const child of fields) push(child)
  return header + fields.length * word
}

const ofPrimitive = (value: unknown): number => {
  switch (typeof value) {
    case "string":
      return header + value.length
    case "bigint":
      return header + word
    case "number":
      return word
    default:
      return 0
  }
}

/** The estimated bytes of `value` and of all that hangs on it; shared and cyclic parts count once. */
export const weigh = (value: unknown): number => {
  const seen = new Set<object>()
  const stack: Array<unknown> = [value]
  let bytes = 0
  let visited = 0
  while (stack.length > 0) {
    const next = stack.pop()
    visited++
    if (visited > maxVisited) return Math.round((bytes / visited) * (visited + stack.length))
    if (typeof next !== "object" || next === null) bytes += ofPrimitive(next)
    else if (!seen.has(next)) {
      seen.add(next)
      bytes += ofObject(next, (child) => stack.push(child))
    }
  }
  return bytes
}
