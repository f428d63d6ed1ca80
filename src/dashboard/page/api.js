/** What the page asks of where it came from. The token comes behind the # of the address, which no server ever sees. */

const kept = "effect-larder token"

const tokenIn = () => {
  const given = new URLSearchParams(location.hash.slice(1)).get("token")
  if (given !== null) {
    sessionStorage.setItem(kept, given)
    history.replaceState(null, "", location.pathname + location.search)
  }
  return given ?? sessionStorage.getItem(kept)
}

const token = tokenIn()

export const hasToken = token !== null

const answerOf = async (response) => {
  const answer = await response.json()
  if (!response.ok) throw new Error([answer.error, answer.hint].filter(Boolean).join(": "))
  return answer
}

export const get = async (path, parameters = {}) =>
  answerOf(await fetch(`api/${path}?${new URLSearchParams(parameters)}`, { credentials: "omit" }))

export const change = async (path, cache, body = {}) =>
  answerOf(
    await fetch(`api/${path}?${new URLSearchParams({ cache })}`, {
      method: "POST",
      credentials: "omit",
      headers: { "content-type": "application/json", authorization: `Bearer ${token}` },
      body: JSON.stringify(body)
    })
  )

/** The numbers as they come, and what happens between them; the browser connects again by itself. */
export const live = (listeners) => {
  const source = new EventSource("api/live")
  for (const name of ["state", "failed", "happened"]) {
    source.addEventListener(name, (event) => listeners[name](JSON.parse(event.data)))
  }
  source.addEventListener("error", () => listeners.lost())
}
