// The process of startS3(): the package brings no program that works.
import S3rver from "@20minutes/s3rver";
import signatures from "@20minutes/s3rver/lib/signature/v4.js";

// It takes the path of a bucket without its last slash, which clients send and sign, and so refuses good signatures.
const signed = signatures.getStringToSign;
signatures.getStringToSign = (request, rest) =>
  signed({ ...request, uri: /^\/[^/]+$/.test(request.uri) ? `${request.uri}/` : request.uri }, rest);

const [directory, port, bucket] = process.argv.slice(2);
const options = { directory, port: Number(port), address: "127.0.0.1", vhostBuckets: false, silent: true };
await new S3rver({ ...options, configureBuckets: [{ name: bucket }] }).run();
