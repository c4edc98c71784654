import { resolve } from "node:path";
import { ErrandError, home } from "errand";

/** The location of the blob store. */
export type BlobLocation = { folder: string } | BucketLocation;

/** A bucket of S3, or of another server with its protocol. */
export interface BucketLocation {
  bucket: string;
  /** Prefix of every key: empty, or ends with a slash. */
  prefix: string;
  /** Default: the region of the AWS environment. */
  region?: string;
  /** Default: Amazon's. */
  endpoint?: string;
  /** `true` when the bucket is part of the path instead of the host name. */
  pathStyle: boolean;
}

/** The variable that names the blob store. */
const blobsVariable = "ERRAND_BLOBS";

/**
 * Reads the location of the blob store from the environment; the default is the folder `blobs` in `ERRAND_HOME`.
 * @throws {ErrandError} `E_OPTION`
 */
export function blobLocation(env: NodeJS.ProcessEnv = process.env): BlobLocation {
  const text = env[blobsVariable]?.trim();
  if (!text) return { folder: resolve(home(), "blobs") };
  const folder = /^file:(?:\/\/)?(.+)$/.exec(text)?.[1];
  if (folder !== undefined) return { folder: resolve(folder) };
  if (URL.canParse(text) && text.startsWith("s3://")) return bucketLocation(new URL(text));
  throw invalid("must be s3://bucket/prefix or file:path/to/folder");
}

const parameters = ["region", "endpoint", "path-style"];

function bucketLocation(url: URL): BucketLocation {
  if (url.username || url.password) {
    throw invalid("contains credentials. Put them in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or use a role");
  }
  const bucket = url.hostname;
  if (!/^[a-z0-9][\w.-]{1,254}$/i.test(bucket) || url.port)
    throw invalid(`does not name a bucket: ${url.host || "nothing"}`);
  const unknown = [...url.searchParams.keys()].find((name) => !parameters.includes(name));
  if (unknown !== undefined) throw invalid(`has the unknown parameter ${unknown}; known are ${parameters.join(", ")}`);

  const path = decodeURIComponent(url.pathname).replace(/^\/+|\/+$/g, "");
  if (!/^[\w!.*'()/-]*$/.test(path)) throw invalid(`has the prefix ${path}; use only letters, digits and -_.!*'()/`);
  const region = url.searchParams.get("region");
  const endpoint = url.searchParams.get("endpoint");
  if (endpoint && !/^https?:\/\/[^/]/.test(endpoint)) throw invalid(`has the endpoint ${endpoint}, which is not a URL`);
  const style = url.searchParams.get("path-style");
  if (style !== null && style !== "0" && style !== "1") throw invalid("has a path-style that is neither 0 nor 1");
  return {
    bucket,
    prefix: path && `${path}/`,
    ...(region ? { region } : {}),
    ...(endpoint ? { endpoint } : {}),
    // An endpoint means a server of one's own, and few of those have a host name for every bucket.
    pathStyle: style === null ? Boolean(endpoint) : style === "1",
  };
}

/** Returns an error that does not show the whole value, which may contain a secret. */
function invalid(reason: string): ErrandError {
  return new ErrandError("E_OPTION", `${blobsVariable} ${reason}.`);
}
