/** The same laws for code that knows Promises only. */
import { Cached, MemoryStore } from "effect-larder"
import { ManagedRuntime } from "effect"

const runtime = ManagedRuntime.make(MemoryStore.layer({ capacity: 1_000 }))

let requests = 0
const fetchTitle = Cached.promise(runtime, "fetchTitle", { timeToLive: "5 minutes", staleIfError: "1 day" })(
  async (page: number): Promise<string> => {
    requests++
    if (page < 0) throw new RangeError("there is no such page")
    return `Title of page ${page}`
  }
)

// ten callers, one request
const titles = await Promise.all(Array.from({ length: 10 }, () => fetchTitle(1)))
console.log(`${titles[9]}, ${requests} request`)
await fetchTitle(1)

// what the function rejects with, its callers are rejected with; it is not kept
await fetchTitle(-1).catch((error: unknown) => console.log(String(error)))

await fetchTitle.invalidate(1)
console.log(`page 1 is there: ${await fetchTitle.has(1)}`)

const { gets, hits, loads } = await fetchTitle.stats()
console.log(`${gets} gets: ${loads} loads, ${hits} hit`)

// the end of the runtime is the end of its caches
await runtime.dispose()
