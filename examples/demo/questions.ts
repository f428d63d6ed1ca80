/** What is asked: a few hundred questions about real places, some again and again, some by two at once. */
import type { CacheStore } from "effect-larder"
import { Effect } from "effect"
import { Atlas, type UnknownPlace } from "./Atlas.js"
import { Around, loneliest } from "./caches.js"

const asked = 240
const popular = 5
const mostPlaces = 40

export type Question = Effect.Effect<string, never, Around | Atlas | CacheStore.CacheStore>

/** A place that is not on the map is an answer, too. */
const answered = <R>(answer: Effect.Effect<string, UnknownPlace, R>): Effect.Effect<string, never, R> =>
  Effect.catchTag(answer, "UnknownPlace", ({ name }) => Effect.succeed(`${name}: not on the map`))

export const around = (name: string): Question =>
  Around.get(name).pipe(
    Effect.map(({ nearest, within50 }) => `${name}: ${nearest[0]?.place.name}, ${within50} within 50 km`),
    answered
  )

const alone = (country: string): Question =>
  loneliest(country).pipe(
    Effect.map(({ neighbour, place }) => `${country}: ${place.name}, ${neighbour.km.toFixed(0)} km`),
    answered
  )

/** Questions in the order they are asked; those that stand together are asked at the same time. */
export const questions = Effect.map(Atlas, ({ countries }): ReadonlyArray<ReadonlyArray<Question>> => {
  const names = [...countries.values()].flat().map(({ country, name }) => `${country}/${name}`)
  const step = Math.floor(names.length / asked)
  const places = Array.from({ length: asked }, (_, index) => names[index * step]!)
  const small = [...countries].filter(([, all]) => all.length >= 5 && all.length <= mostPlaces).map(([code]) => code)
  const list = [...places.map(around), ...small.map(alone), around("GB/Camelot")]
  return list.flatMap((question, index): ReadonlyArray<ReadonlyArray<Question>> => {
    if (index % 7 === 3) return [[question, question]]
    // every seventh is followed by one of a few popular ones
    return index % 7 === 6 ? [[question], [around(places[((index / 7) % popular) | 0]!)]] : [[question]]
  })
})
