/** What goes wrong with a service of objects, in this project's words. */
import { type Diagnosis, firstOf, told } from "../internal/diagnosis.js"

/** The store's name in errors, spans and logs. */
export const storeName = "ObjectStore"

const unreachable = "check the endpoint, and that it can be reached"
const credentials = "check the credentials: those in the options, or what the AWS SDK finds in its environment"
const busy: Diagnosis = { reason: "the service is busy", transient: true, hint: "try again, more slowly" }

/** By the name of the driver's error, or its code. */
const diagnoses: Readonly<Record<string, Diagnosis>> = {
  NoSuchBucket: { reason: "there is no such bucket", transient: false, hint: "make it, or give the name of another" },
  InvalidBucketName: {
    reason: "a bucket cannot have this name",
    transient: false,
    hint: "use 3 to 63 lower-case letters, digits and hyphens"
  },
  AccessDenied: {
    reason: "this is not allowed",
    transient: false,
    hint: "allow s3:GetObject, s3:PutObject, s3:DeleteObject and s3:ListBucket for the prefix"
  },
  Forbidden: { reason: "this is not allowed", transient: false, hint: credentials },
  InvalidAccessKeyId: { reason: "the access key is not known", transient: false, hint: credentials },
  SignatureDoesNotMatch: { reason: "the secret key is wrong", transient: false, hint: credentials },
  CredentialsProviderError: { reason: "there are no credentials", transient: false, hint: credentials },
  RequestTimeTooSkewed: {
    reason: "this machine's clock differs from the service's",
    transient: false,
    hint: "set the clock"
  },
  PermanentRedirect: { reason: "the bucket is in another region", transient: false, hint: "give its region" },
  AuthorizationHeaderMalformed: {
    reason: "the bucket is in another region",
    transient: false,
    hint: "give its region"
  },
  SlowDown: busy,
  ServiceUnavailable: busy,
  InternalError: busy,
  TooManyRequestsException: busy
}

const diagnose = (given: unknown): Diagnosis => {
  if (!(given instanceof Error)) return { reason: String(given), transient: false, hint: "see the cause" }
  if (Object.hasOwn(diagnoses, given.name)) return diagnoses[given.name]!
  const first = firstOf(given)
  const isOfNetwork = first instanceof Error && ("syscall" in first || first.name === "TimeoutError")
  const status = "$metadata" in given ? (given.$metadata as { httpStatusCode?: number }).httpStatusCode : undefined
  const reason = first instanceof Error && first.message !== "" ? first.message : given.name
  return {
    reason: reason === "UnknownError" ? `the service answered with ${status}` : reason,
    transient: isOfNetwork || (status !== undefined && status >= 500),
    hint: isOfNetwork ? unreachable : "see the cause"
  }
}

/** How an operation that failed, and a server that cannot be used, are told. */
export const { ofConnecting: ofOpening, ofOperation: ofRequest } = told(storeName, diagnose, unreachable)
