/** S3, and whatever speaks its protocol, by way of the AWS SDK. */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import type * as CacheError from "../../CacheError.js"
import * as Peers from "../internal/peers.js"
import { storeName } from "./errors.js"
import type { Condition, Objects } from "./objects.js"

export interface Options {
  readonly bucket: string
  readonly region: string
  readonly endpoint: string | undefined
  readonly credentials:
    | { readonly accessKeyId: string; readonly secretAccessKey: string | Redacted.Redacted<string> }
    | undefined
}

/** What is answered when a condition does not hold, or somebody else is writing at this moment. */
const refused = new Set([404, 409, 412])

const statusOf = (error: unknown): number | undefined =>
  error instanceof Error && "$metadata" in error
    ? (error.$metadata as { httpStatusCode?: number }).httpStatusCode
    : undefined

const isNamed = (error: unknown, name: string): boolean => error instanceof Error && error.name === name

const headersOf = (condition: Condition | undefined) => {
  if (condition === undefined) return {}
  return condition._tag === "Absent" ? { IfNoneMatch: "*" } : { IfMatch: condition.version }
}

export const connect = (options: Options): Effect.Effect<Objects, CacheError.StoreUnavailable, Scope.Scope> =>
  Effect.gen(function* () {
    const S3 = yield* Peers.load({ store: storeName, driver: "@aws-sdk/client-s3" }, () => import("@aws-sdk/client-s3"))
    const { bucket: Bucket, credentials, endpoint, region } = options
    const client = yield* Effect.acquireRelease(
      Effect.sync(
        () =>
          new S3.S3Client({
            region,
            // a program that wants another try says so: CacheStore.retry
            maxAttempts: 1,
            // checksums that others than AWS do not know
            requestChecksumCalculation: "WHEN_REQUIRED",
            responseChecksumValidation: "WHEN_REQUIRED",
            ...(endpoint === undefined ? {} : { endpoint, forcePathStyle: true }),
            ...(credentials === undefined
              ? {}
              : {
                  credentials: {
                    accessKeyId: credentials.accessKeyId,
                    secretAccessKey: Redacted.isRedacted(credentials.secretAccessKey)
                      ? Redacted.value(credentials.secretAccessKey)
                      : credentials.secretAccessKey
                  }
                })
          })
      ),
      (one) => Effect.sync(() => one.destroy())
    )
    return {
      get: async (Key) => {
        try {
          const { Body, ETag = "" } = await client.send(new S3.GetObjectCommand({ Bucket, Key }))
          return Body === undefined ? undefined : { bytes: await Body.transformToByteArray(), version: ETag }
        } catch (error) {
          if (isNamed(error, "NoSuchKey")) return undefined
          throw error
        }
      },
      put: async (Key, Body, condition) => {
        try {
          const { ETag } = await client.send(new S3.PutObjectCommand({ Bucket, Key, Body, ...headersOf(condition) }))
          return ETag ?? ""
        } catch (error) {
          const isAnswer =
            condition !== undefined && refused.has(statusOf(error) ?? 0) && !isNamed(error, "NoSuchBucket")
          if (isAnswer) return undefined
          throw error
        }
      },
      remove: async (Key) => {
        await client.send(new S3.DeleteObjectCommand({ Bucket, Key }))
      },
      async *list(Prefix) {
        let ContinuationToken: string | undefined
        do {
          const command: InstanceType<typeof S3.ListObjectsV2Command> = new S3.ListObjectsV2Command({
            Bucket,
            Prefix,
            ...(ContinuationToken === undefined ? {} : { ContinuationToken })
          })
          const found = await client.send(command)
          for (const { Key } of found.Contents ?? []) if (Key !== undefined) yield Key
          ContinuationToken = found.IsTruncated === true ? found.NextContinuationToken : undefined
        } while (ContinuationToken !== undefined)
      }
    }
  })
