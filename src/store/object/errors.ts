/** What goes wrong with a service of objects, in this project's words. */
import { type Diagnosis, firstOf, type Told, told } from "../internal/diagnosis.js"

/** The store's name in errors, spans and logs. */
export const storeName = "ObjectStore"

const unreachable = "check the endpoint, and that it can be reached"
const credentials = "check the credentials: those in the options, or what the AWS SDK finds in its environment"
const googleCredentials = "check the credentials: those in the options, or GOOGLE_APPLICATION_CREDENTIALS"
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

/** What Google's client found wrong: the HTTP status of an answer, or what the network said. */
const byStatus: Readonly<Record<number, Diagnosis>> = {
  401: { reason: "the credentials are not known", transient: false, hint: googleCredentials },
  403: {
    reason: "this is not allowed",
    transient: false,
    hint: "allow storage.objects.get, create, delete and list, as the role Storage Object User does"
  },
  404: { reason: "there is no such bucket", transient: false, hint: "make it, or give the name of another" },
  408: busy,
  429: busy
}

const diagnoseGoogle = (given: unknown): Diagnosis => {
  if (!(given instanceof Error)) return { reason: String(given), transient: false, hint: "see the cause" }
  const code = "code" in given ? given.code : undefined
  if (typeof code === "number") {
    const reason = `the service answered with ${code}`
    return byStatus[code] ?? (code >= 500 ? busy : { reason, transient: false, hint: "see the cause" })
  }
  if (/could not load the default credentials/i.test(given.message)) {
    return { reason: "there are no credentials", transient: false, hint: googleCredentials }
  }
  const isOfNetwork = typeof code === "string"
  return { reason: given.message, transient: isOfNetwork, hint: isOfNetwork ? unreachable : "see the cause" }
}

/** How an operation that failed, and a server that cannot be used, are told. */
export const s3: Told = told(storeName, diagnose, unreachable)
export const google: Told = told(storeName, diagnoseGoogle, unreachable)
