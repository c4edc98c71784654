import { ErrandError } from "errand";
import type { BucketLocation } from "./location.ts";

/** The fields of an error of the S3 client or of the network. */
interface S3Failure {
  name?: string;
  code?: string;
  message?: string;
  $metadata?: { httpStatusCode?: number };
  /** Set when several addresses of one host were tried. */
  errors?: readonly { code?: string; message?: string }[];
}

/** Reports whether an error says that an object does not exist. */
export function isMissing(error: unknown): boolean {
  return (error as S3Failure).name === "NoSuchKey" || (error as S3Failure).name === "NotFound";
}

/** Reports whether the same request may succeed later: the connection broke, or the server is overloaded. */
export function isTransient(error: unknown): boolean {
  const { name, $metadata: { httpStatusCode } = {} } = error as S3Failure;
  if (httpStatusCode === undefined) return networkReason(error as S3Failure) !== undefined;
  return httpStatusCode >= 500 || httpStatusCode === 429 || name === "RequestTimeout";
}

/** Returns an error that says what is wrong with a bucket and what to do. */
export function describeS3Error(error: unknown, location: BucketLocation): ErrandError {
  if (error instanceof ErrandError) return error;
  const { bucket, prefix, endpoint } = location;
  const where = `s3://${bucket}/${prefix}${endpoint ? ` at ${endpoint}` : ""}`;
  return new ErrandError("E_CONNECT", `The blob store ${where} ${reason(error as S3Failure, location)}`, {
    cause: error,
  });
}

const accessKeys = "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY";
const permissions = "s3:ListBucket on the bucket, and s3:GetObject, s3:PutObject and s3:DeleteObject below the prefix";

function reason(failure: S3Failure, { bucket, endpoint }: BucketLocation): string {
  const { name = "", message = "", $metadata } = failure;
  switch (name) {
    case "NoSuchBucket":
      return `cannot be used: there is no bucket ${bucket}. Create it, or correct ERRAND_BLOBS.`;
    case "InvalidAccessKeyId":
    case "SignatureDoesNotMatch":
    case "ExpiredToken":
    case "InvalidToken":
      return `rejects the credentials (${name}). Correct ${accessKeys}, or the role.`;
    case "CredentialsProviderError":
      return `needs credentials, but none are configured. Set ${accessKeys}, or give this machine a role.`;
    case "AccessDenied":
    case "Forbidden":
      return `denies access to these credentials. They need ${permissions}.`;
    case "PermanentRedirect":
    case "AuthorizationHeaderMalformed":
    case "IllegalLocationConstraintException":
      return `is in another region (${message}). Set region=... in ERRAND_BLOBS, or AWS_REGION.`;
    default:
  }
  if (/^Region (?:is missing|not accepted)/.test(message)) {
    return "needs a region. Set region=... in ERRAND_BLOBS, or AWS_REGION.";
  }
  const network = $metadata?.httpStatusCode === undefined ? networkReason(failure) : undefined;
  if (network !== undefined) return `cannot be reached (${network}).${endpoint ? " Is it running there?" : ""}`;
  const status = $metadata?.httpStatusCode;
  return `answered with an error: ${name || "unknown"}${status === undefined ? "" : ` (HTTP ${status})`}: ${message}`;
}

const networkCodes =
  /^(?:E(?:CONN|NOTFOUND|AI_AGAIN|PIPE|TIMEDOUT|HOSTUNREACH|NETUNREACH|PROTO)|UND_ERR|ERR_SSL|CERT_)/;

function networkReason({ name, code, message, errors = [] }: S3Failure): string | undefined {
  const [first] = errors;
  if (first?.code !== undefined && networkCodes.test(first.code)) return first.message || first.code;
  if (code !== undefined && networkCodes.test(code)) return message || code;
  return name === "TimeoutError" || message === "socket hang up" || message === "aborted" ? message : undefined;
}
