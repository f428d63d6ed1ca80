import { addEqualityTesters } from "@effect/vitest"
import { afterEach } from "vitest"

addEqualityTesters()

// Most tests never wait for the real world, and a file of hundreds of them would keep the runner from hearing of it for
// longer than it has patience.
afterEach(() => new Promise<void>((resolve) => setTimeout(resolve)))
