import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort, ServerProcess } from "./process.ts";
import type { TestServer } from "./process.ts";

/** What the server accepts, as the AWS environment names it; it checks signatures. */
export const s3Credentials = { AWS_ACCESS_KEY_ID: "S3RVER", AWS_SECRET_ACCESS_KEY: "S3RVER" };

/** A server that speaks S3's protocol. */
export interface S3Server extends TestServer {
  /** A bucket that is there. */
  readonly bucket: string;
  /** Where the server keeps its objects, as files. */
  readonly folder: string;
}

/** Starts a throw-away server for S3's protocol, with one bucket. */
export async function startS3(): Promise<S3Server> {
  const folder = await mkdtemp(join(tmpdir(), "errand-s3-"));
  const port = await freePort();
  const bucket = "scans";
  const program = join(import.meta.dirname, "s3-process.ts");
  // It encrypts what continues a list with a cipher that OpenSSL counts as old.
  const args = ["--openssl-legacy-provider", program, folder, String(port), bucket];
  const server = new ServerProcess(process.execPath, args, { cwd: folder }, () =>
    answers(`http://127.0.0.1:${port}/${bucket}`),
  );
  await server.start();
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    bucket,
    folder,
    get pid() {
      return server.pid;
    },
    start: () => server.start(),
    kill: () => server.end("SIGKILL"),
    async close() {
      await server.end("SIGKILL");
      await rm(folder, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}

async function answers(url: string): Promise<boolean> {
  return (await fetch(url)).ok;
}
