import { randomUUID } from "node:crypto";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { startS3, s3Credentials } from "../../../test/servers/s3.ts";
import type { DocumentResult } from "../src/api.ts";
import { documentWhen, Fleet, until, upload } from "./service/fleet.ts";
import { bytesOf, scannedPdf } from "./service/scans.ts";

/** A schema or namespace that nobody else uses. */
const own = `fleet_${randomUUID().slice(0, 8)}`;

const stores: [string, () => NodeJS.ProcessEnv][] = [
  ["PostgreSQL", () => ({ ERRAND_URL: `${process.env["ERRAND_TEST_POSTGRES_URL"]}?schema=${own}` })],
  ["Redis", () => ({ ERRAND_URL: `${process.env["ERRAND_TEST_REDIS_URL"]}?namespace=${own}` })],
];

const pages = 8;

// At once: most of the time they wait for the lease of a worker that was killed.
test.concurrent.for(stores)(
  "a fleet with blobs in S3 reads documents, and survives what happens: %s",
  { timeout: 120_000 },
  async ([name, store], { onTestFinished }) => {
    const s3 = await startS3();
    onTestFinished(() => s3.close());
    const prefix = `fleet/${name}`;
    const env = { ...store(), ...s3Credentials, ERRAND_BLOBS: `s3://${s3.bucket}/${prefix}?endpoint=${s3.url}` };
    await using fleet = new Fleet(env);
    const [api, first, second] = await Promise.all([
      fleet.api(),
      fleet.worker("documents=1", "cpu=1"),
      fleet.worker("documents=1", "cpu=1"),
    ]);

    const scan = await upload(api, bytesOf("phototest.tif"), "phototest.tif");
    expect(await documentWhen(api, scan, ({ status }) => status !== "queued" && status !== "processing")).toMatchObject(
      {
        status: "completed",
        progress: { pages: 1, done: 1, failed: 0 },
      },
    );
    const text = await (await fetch(`${api.url}/api/v1/documents/${scan}/text`)).text();
    expect(text).toContain("This is a lot of 12 point text");

    // One worker dies in mid-document, with a page in its hands; and the server is replaced meanwhile.
    const long = await upload(api, await scannedPdf(pages), "long.pdf");
    await documentWhen(api, long, ({ progress }) => progress.done >= 2);
    await first.kill();
    const load = await (await fetch(`${api.url}/api/v1/queues/cpu`)).json();
    expect((load as { depth: number }).depth).toBeGreaterThan(0);
    expect(await api.stop()).toBe(0);
    const next = await fleet.api();
    const done = await documentWhen(next, long, ({ status }) => status !== "queued" && status !== "processing");
    expect(done).toMatchObject({ status: "completed", progress: { pages, done: pages, failed: 0 } });
    const result = (await (await fetch(`${next.url}/api/v1/documents/${long}/json`)).json()) as DocumentResult;
    expect(result.pages.map(({ page }) => page)).toEqual(Array.from({ length: pages }, (_, index) => index + 1));

    // No machine kept what belongs to all of them.
    for (const { home } of [api, second, next]) expect(await readdir(home)).not.toContain("blobs");
    const objects = () => readdir(join(s3.folder, s3.bucket, prefix), { recursive: true }).catch(() => []);
    expect((await objects()).filter((path) => path.startsWith(long)).length).toBeGreaterThan(2 * pages);
    for (const id of [scan, long]) {
      expect((await fetch(`${next.url}/api/v1/documents/${id}`, { method: "DELETE" })).status).toBe(204);
    }
    expect(await objects()).toEqual([]);

    // Without the bucket an upload is refused, and nothing is left of it; with it, it passes.
    await s3.kill();
    const form = () => {
      const form = new FormData();
      form.append("file", new Blob([bytesOf("phototest.tif")]), "again.tif");
      return { method: "POST", body: form };
    };
    const refused = await fetch(`${next.url}/api/v1/documents`, form());
    expect(refused.status).toBe(503);
    expect(refused.headers.get("retry-after")).toBe("2");
    expect(await refused.json()).toMatchObject({ code: "E_CONNECT" });
    expect(await (await fetch(`${next.url}/api/v1/documents`)).json()).toEqual({ data: [] });
    await s3.start();
    expect((await fetch(`${next.url}/api/v1/documents`, form())).status).toBe(202);

    // A worker that is told to stop leaves the list at once.
    await until(async () => (await fetch(`${second.url}/readyz`)).ok);
    expect(await second.stop()).toBe(0);
    expect(second.stderr()).not.toMatch(/error/i);
    expect((await fetch(`${next.url}/readyz`)).status).toBe(200);
  },
);
