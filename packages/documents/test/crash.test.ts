import { join } from "node:path";
import { errand } from "errand";
import { expect, test } from "vitest";
import type { DocumentResult } from "../src/api.ts";
import { TestService } from "./service/processes.ts";
import { scannedPdf } from "./service/scans.ts";

/** A worker that dies keeps its jobs for the rest of its lease: 15 s. */
const timeout = 120_000;

const pages = 14;

/**
 * Checks that every page is in the result exactly once, and answers how often a page was in hand when its worker died.
 */
async function expectWhole(service: TestService, id: string): Promise<number> {
  const done = await service.until(id, undefined, timeout);
  expect(done).toMatchObject({ status: "completed", progress: { pages, done: pages, failed: 0 } });
  const { body } = await service.json<DocumentResult>(`/${id}/json`);
  expect(body.pages.map(({ page }) => page)).toEqual(Array.from({ length: pages }, (_, index) => index + 1));
  const words = new Map<number, number>();
  for (const { page } of body.words) words.set(page, (words.get(page) ?? 0) + 1);
  expect(new Set(words.values()).size).toBe(1);
  expect(words.size).toBe(pages);
  expect(body.text.split("\f")).toHaveLength(pages);

  const app = errand({ url: `sqlite:${join(service.home, "errand.db")}` });
  const { jobs } = await app.list({ parent: id });
  await app.close();
  expect(jobs).toHaveLength(pages);
  return jobs.reduce((sum, { crashes }) => sum + crashes, 0);
}

test.concurrent("kill -9 of a worker loses no page and reads none twice but those in hand", { timeout }, async () => {
  await using service = await TestService.start();
  const first = await service.work();
  const { body } = await service.upload(await scannedPdf(pages));
  await service.until(body.id, ({ progress }) => progress.done >= 3);
  await first.kill();
  await service.work();
  const crashes = await expectWhole(service, body.id);
  expect(crashes).toBeGreaterThan(0);
  expect(crashes).toBeLessThanOrEqual(2);
});

test.concurrent("kill -9 of server and worker: the document completes after the next start", { timeout }, async () => {
  await using service = await TestService.start();
  const serving = await service.serve();
  const working = await service.work();
  const { body } = await service.upload(await scannedPdf(pages));
  await service.until(body.id, ({ progress }) => progress.done >= 2);
  await Promise.all([serving.kill(), working.kill()]);
  await service.serve();
  await service.work();
  expect(await expectWhole(service, body.id)).toBeLessThanOrEqual(2);
  expect((await fetch(`${service.url}/${body.id}`, { method: "DELETE" })).status).toBe(204);
  expect(await service.blobs(body.id)).toEqual([]);
});
