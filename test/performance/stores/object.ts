/**
 * Objects in a bucket: beside the AWS SDK's GetObject and PutObject, on s3rver and somebody before it who minds the
 * conditions of conditional writes, in this process. What a real service takes, a thousand times as long, is left out
 * of it; what is seen is how many requests each makes, and what they cost here.
 *
 * Of peers: unstorage by its `s3` driver (aws4fetch and fetch, no SDK). Keyv and bentocache have no adapter for objects of
 * their own.
 */
import { GetObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3"
import * as ObjectStore from "effect-larder/ObjectStore"
import { Effect, Layer, Schema } from "effect"
import unstorageS3 from "unstorage/drivers/s3"
import * as S3 from "../../fixtures/servers/s3.js"
import * as Contender from "./contender.js"
import type * as Contest from "./contest.js"
import type { Engine } from "./engine.js"
import * as Peers from "./peers.js"
import { Item, records, type Size, texts } from "./workload.js"

const names = { record: "larder, a record", text: "larder, a text" }

/** A get asks for the region's state, then for the entry: a value that was invalidated is told by that alone. */
const bounds: ReadonlyArray<Contest.Bound> = [
  { own: names.text, operation: "get", below: 2.9 },
  { own: names.text, operation: "atOnce", below: 1.5 }
]

/** Each of them is a request or more, of milliseconds. */
const size: Size = { keys: 100, gets: 100, sets: 20 }
const region = "us-east-1"

const raw = ({ bucket: Bucket, endpoint }: S3.S3) =>
  Effect.acquireRelease(
    Effect.sync(() => new S3Client({ endpoint, region, forcePathStyle: true, credentials: S3.credentials })),
    (client) => Effect.sync(() => client.destroy())
  ).pipe(
    Effect.map((client) => {
      const get = async (key: string) => {
        const { Body } = await client.send(new GetObjectCommand({ Bucket, Key: `raw/${key}` }))
        return Body?.transformToString()
      }
      const set = (key: string, value: string) =>
        client.send(new PutObjectCommand({ Bucket, Key: `raw/${key}`, Body: value }))
      const getMany = (keys: ReadonlyArray<string>) => Promise.all(keys.map(get))
      return Contender.promised("@aws-sdk/client-s3", "raw", texts(size), { get, set, getMany })
    })
  )

export const object: Engine = {
  isThere: true,
  contests: Effect.gen(function* () {
    const server = yield* S3.make({ conditional: true })
    const { bucket, endpoint } = server
    const work = records(size)
    const patient = { bucket, endpoint, credentials: S3.credentials, timeout: "1 minute" } as const
    const store = yield* Layer.build(ObjectStore.layer(patient))
    return [
      {
        title: "Objects",
        ahead: names.record,
        bounds,
        workload: work,
        serial: { get: 5, set: 2 },
        rounds: 20,
        contenders: [
          yield* raw(server),
          yield* Contender.engine(store, texts(size)),
          yield* Contender.cache(names.text, store, Schema.String, texts(size)),
          yield* Contender.cache(names.record, store, Item, work),
          yield* Peers.unstorage(work, () => unstorageS3({ bucket, endpoint, region, ...S3.credentials }))
        ]
      }
    ]
  })
}
