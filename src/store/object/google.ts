/** Google Cloud Storage by its own client: the generation of an object is its version. */
import type { File } from "@google-cloud/storage"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type * as CacheError from "../../CacheError.js"
import * as Peers from "../internal/peers.js"
import { storeName } from "./errors.js"
import type { Condition, Found, Objects } from "./objects.js"

export interface Options {
  readonly bucket: string
  readonly endpoint: string | undefined
  readonly credentials:
    | { readonly clientEmail: string; readonly privateKey: string | Redacted.Redacted<string> }
    | undefined
}

const statusOf = (error: unknown): unknown => (error instanceof Error && "code" in error ? error.code : undefined)

/** Of an object that is not there the generation is 0. */
const generationOf = (condition: Condition | undefined) => {
  if (condition === undefined) return {}
  return { ifGenerationMatch: condition._tag === "Absent" ? 0 : condition.version }
}

/** In one request: the client's own `download` tells the bytes, and not of which generation they are. */
const download = (file: File): Promise<Found> =>
  new Promise((resolve, reject) => {
    const parts: Array<Buffer> = []
    let version = ""
    file
      // entries bear marks of their own against rot
      .createReadStream({ validation: false, decompress: false })
      .on("response", ({ headers }: { readonly headers: Readonly<Record<string, string | undefined>> }) => {
        version = headers["x-goog-generation"] ?? ""
      })
      .on("data", (part: Buffer) => parts.push(part))
      .on("error", reject)
      .on("end", () => resolve({ bytes: Buffer.concat(parts), version }))
  })

export const connect = (options: Options): Effect.Effect<Objects, CacheError.StoreUnavailable> =>
  Effect.gen(function* () {
    const { Storage } = yield* Peers.load(
      { store: storeName, driver: "@google-cloud/storage" },
      () => import("@google-cloud/storage")
    )
    const { credentials, endpoint } = options
    const bucket = new Storage({
      // a program that wants another try says so: CacheStore.retry
      retryOptions: { autoRetry: false },
      ...(endpoint === undefined
        ? {}
        : { apiEndpoint: endpoint, useAuthWithCustomEndpoint: credentials !== undefined }),
      ...(credentials === undefined
        ? {}
        : {
            credentials: {
              client_email: credentials.clientEmail,
              private_key: Redacted.isRedacted(credentials.privateKey)
                ? Redacted.value(credentials.privateKey)
                : credentials.privateKey
            }
          })
    }).bucket(options.bucket)
    return {
      get: async (key) => {
        try {
          return await download(bucket.file(key))
        } catch (error) {
          if (statusOf(error) === 404) return undefined
          throw error
        }
      },
      put: async (key, bytes, condition) => {
        const file = bucket.file(key)
        try {
          await file.save(bytes, { resumable: false, validation: false, preconditionOpts: generationOf(condition) })
          return String(file.metadata.generation)
        } catch (error) {
          if (condition !== undefined && statusOf(error) === 412) return undefined
          throw error
        }
      },
      remove: async (key) => {
        await bucket.file(key).delete({ ignoreNotFound: true })
      },
      async *list(prefix) {
        let pageToken: string | undefined
        do {
          const [files, next] = await bucket.getFiles({
            prefix,
            autoPaginate: false,
            fields: "items(name),nextPageToken",
            ...(pageToken === undefined ? {} : { pageToken })
          })
          for (const { name } of files) yield name
          pageToken = (next as { readonly pageToken?: string } | null)?.pageToken
        } while (pageToken !== undefined)
      }
    }
  })
