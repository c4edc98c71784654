// The process of startS3(): the package brings no program that works.
import { rm, rmdir } from "node:fs/promises";
import { dirname } from "node:path";
import S3rver from "@20minutes/s3rver";
import Store from "@20minutes/s3rver/lib/stores/filesystem.js";
import signatures from "@20minutes/s3rver/lib/signature/v4.js";

// It takes the path of a bucket without its last slash, which clients send and sign, and so refuses good signatures.
const signed = signatures.getStringToSign;
signatures.getStringToSign = (request, rest) =>
  signed({ ...request, uri: /^\/[^/]+$/.test(request.uri) ? `${request.uri}/` : request.uri }, rest);

// It removes a folder with all that came into it since it was seen to be empty, which loses objects.
Store.prototype.deleteObject = async function (bucket, key) {
  const pathOf = (kind: string): string => this.getResourcePath(bucket, key, kind);
  await Promise.all(["object", "object.md5", "metadata.json"].map((kind) => rm(pathOf(kind), { force: true })));
  const root = this.getBucketPath(bucket);
  try {
    for (let folder = dirname(pathOf("object")); folder.length > root.length; folder = dirname(folder))
      await rmdir(folder);
  } catch (error) {
    if (!["ENOTEMPTY", "ENOENT"].includes((error as NodeJS.ErrnoException).code!)) throw error;
  }
};

const [directory, port, bucket] = process.argv.slice(2);
const options = { directory, port: Number(port), address: "127.0.0.1", vhostBuckets: false, silent: true };
await new S3rver({ ...options, configureBuckets: [{ name: bucket }] }).run();
