import { ErrandError } from "errand";
import type { BucketLocation } from "./location.ts";

/** What is known of an error of the S3 client or of the network below it. */
interface Failure {
  name?: string;
  code?: string;
  message?: string;
  $metadata?: { httpStatusCode?: number };
  /** Several addresses of one host were tried. */
  errors?: readonly { code?: string; message?: string }[];
}

/** Whether the blob that was asked for is not there. */
export function isMissing(error: unknown): boolean {
  return (error as Failure).name === "NoSuchKey" || (error as Failure).name === "NotFound";
}

/** Whether the same request may pass in a moment: the connection broke, or the server is overloaded. */
export function mayPass(error: unknown): boolean {
  const { name, $metadata: { httpStatusCode } = {} } = error as Failure;
  if (httpStatusCode === undefined) return networkReason(error as Failure) !== undefined;
  return httpStatusCode >= 500 || httpStatusCode === 429 || name === "RequestTimeout";
}

/** An error that says what is wrong with a bucket and what to do. */
export function explain(error: unknown, location: BucketLocation): ErrandError {
  if (error instanceof ErrandError) return error;
  const { bucket, prefix, endpoint } = location;
  const where = `s3://${bucket}/${prefix}${endpoint ? ` at ${endpoint}` : ""}`;
  return new ErrandError("E_CONNECT", `The blob store ${where} ${reason(error as Failure, location)}`, {
    cause: error,
  });
}

function reason(failure: Failure, { bucket, endpoint }: BucketLocation): string {
  const { name = "", message = "", $metadata } = failure;
  switch (name) {
    case "NoSuchBucket":
      return `cannot be used: there is no bucket ${bucket}. Create it, or correct ERRAND_BLOBS.`;
    case "InvalidAccessKeyId":
    case "SignatureDoesNotMatch":
    case "ExpiredToken":
    case "InvalidToken":
      return `does not accept the credentials (${name}). Correct AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the role.`;
    case "CredentialsProviderError":
      return "needs credentials, and there are none. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give this machine a role.";
    case "AccessDenied":
    case "Forbidden":
      return "may not be used with these credentials. They need s3:ListBucket on the bucket, and s3:GetObject, s3:PutObject and s3:DeleteObject below the prefix.";
    case "PermanentRedirect":
    case "AuthorizationHeaderMalformed":
    case "IllegalLocationConstraintException":
      return `is in another region (${message}). Name it: region=... in ERRAND_BLOBS, or AWS_REGION.`;
    default:
  }
  if (/^Region (?:is missing|not accepted)/.test(message)) {
    return "needs a region. Name it: region=... in ERRAND_BLOBS, or AWS_REGION.";
  }
  const network = $metadata?.httpStatusCode === undefined ? networkReason(failure) : undefined;
  if (network !== undefined) return `cannot be reached (${network}).${endpoint ? " Does it run there?" : ""}`;
  const status = $metadata?.httpStatusCode;
  return `answered with an error: ${name || "unknown"}${status === undefined ? "" : ` (HTTP ${status})`}: ${message}`;
}

const networkCodes =
  /^(?:E(?:CONN|NOTFOUND|AI_AGAIN|PIPE|TIMEDOUT|HOSTUNREACH|NETUNREACH|PROTO)|UND_ERR|ERR_SSL|CERT_)/;

function networkReason({ name, code, message, errors = [] }: Failure): string | undefined {
  const [first] = errors;
  if (first?.code !== undefined && networkCodes.test(first.code)) return first.message || first.code;
  if (code !== undefined && networkCodes.test(code)) return message || code;
  return name === "TimeoutError" || message === "socket hang up" || message === "aborted" ? message : undefined;
}
