/** Which packages are there. Needs none of them itself: it is asked before anything else of the command is loaded. */
import { createRequire } from "node:module"

const require = createRequire(import.meta.url)

/** Whether a package can be found from here. It is not loaded. */
export const isInstalled = (name: string): boolean => {
  try {
    return require.resolve(name) !== ""
  } catch {
    return false
  }
}
