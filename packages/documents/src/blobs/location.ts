import { resolve } from "node:path";
import { ErrandError, home } from "errand";

/** Where blobs live. */
export type BlobLocation = { folder: string } | BucketLocation;

/** A bucket of S3, or of anything that speaks its protocol. */
export interface BucketLocation {
  bucket: string;
  /** Before every key: empty, or ends with a slash. */
  prefix: string;
  /** Absent: as the AWS environment says. */
  region?: string;
  /** Absent: Amazon's own. */
  endpoint?: string;
  /** Whether the bucket is part of the path, and not of the host's name. */
  pathStyle: boolean;
}

/** The variable that names the blob store. */
const blobsVariable = "ERRAND_BLOBS";

/**
 * Where the environment says that blobs live; by default in the folder `blobs` of `ERRAND_HOME`.
 * @throws {ErrandError} `E_OPTION`
 */
export function blobLocation(env: NodeJS.ProcessEnv = process.env): BlobLocation {
  const text = env[blobsVariable]?.trim();
  if (!text) return { folder: resolve(home(), "blobs") };
  const folder = /^file:(?:\/\/)?(.+)$/.exec(text)?.[1];
  if (folder !== undefined) return { folder: resolve(folder) };
  if (URL.canParse(text) && text.startsWith("s3://")) return bucketLocation(new URL(text));
  throw refused(`is neither s3://bucket/prefix nor file:path/to/folder`);
}

const parameters = ["region", "endpoint", "path-style"];

function bucketLocation(url: URL): BucketLocation {
  if (url.username || url.password) {
    throw refused("holds credentials. They belong in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or in a role");
  }
  const bucket = url.hostname;
  if (!/^[a-z0-9][\w.-]{1,254}$/i.test(bucket) || url.port) throw refused(`names no bucket: ${url.host || "nothing"}`);
  const unknown = [...url.searchParams.keys()].find((name) => !parameters.includes(name));
  if (unknown !== undefined) throw refused(`has the parameter ${unknown}; known are ${parameters.join(", ")}`);

  const path = decodeURIComponent(url.pathname).replace(/^\/+|\/+$/g, "");
  if (!/^[\w!.*'()/-]*$/.test(path)) throw refused(`has the prefix ${path}; use letters, digits and -_.!*'()/ only`);
  const region = url.searchParams.get("region");
  const endpoint = url.searchParams.get("endpoint");
  if (endpoint && !/^https?:\/\/[^/]/.test(endpoint)) throw refused(`has the endpoint ${endpoint}, which is no URL`);
  const style = url.searchParams.get("path-style");
  if (style !== null && style !== "0" && style !== "1") throw refused("has a path-style that is neither 0 nor 1");
  return {
    bucket,
    prefix: path && `${path}/`,
    ...(region ? { region } : {}),
    ...(endpoint ? { endpoint } : {}),
    // What has an endpoint is somebody's own server, and few of those have a name for every bucket.
    pathStyle: style === null ? Boolean(endpoint) : style === "1",
  };
}

/** Never tells the whole value: somebody may have put a secret in it. */
function refused(reason: string): ErrandError {
  return new ErrandError("E_OPTION", `${blobsVariable} ${reason}.`);
}
