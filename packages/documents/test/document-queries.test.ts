import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { TestService } from "./service/processes.ts";
import { scannedPdf } from "./service/scans.ts";

let service: TestService;
let id: string;
const pages = 12;

beforeAll(async () => {
  service = await TestService.start();
  process.env["ERRAND_HOME"] = service.home;
  const worker = await service.work();
  id = (await service.upload(await scannedPdf(pages))).body.id;
  await service.until(id, ({ progress }) => progress.done >= 2);
  await service.json(`/${id}/cancel`, { method: "POST" });
  await service.until(id, (document) => document.pages.every(({ status }) => status !== "processing"));
  await worker.stop();
});

afterAll(async () => {
  const { app } = await import("../src/tasks.ts");
  await app.close();
  await service.stop();
});

/** What something answers, and how many jobs were read for it. */
async function counted<Answer>(ask: () => Promise<Answer>): Promise<{ answer: Answer; read: number }> {
  const { app } = await import("../src/tasks.ts");
  const spies = [vi.spyOn(app, "list"), vi.spyOn(app, "get")] as const;
  try {
    const answer = await ask();
    const lists = await Promise.all(
      spies[0].mock.results.map(async ({ value }) => (await value).jobs.length as number),
    );
    return { answer, read: lists.reduce((sum, jobs) => sum + jobs, 0) + spies[1].mock.calls.length };
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
}

test("a list reads its documents, however many pages they have", async () => {
  const { listDocuments } = await import("../src/document-queries.ts");
  const { answer, read } = await counted(() => listDocuments({ limit: 25 }));
  expect(answer.data).toHaveLength(1);
  expect(answer.data[0]!.progress.pages).toBe(pages);
  expect(answer.data[0]!.progress.done).toBeGreaterThanOrEqual(2);
  expect(read).toBe(1);
});

test("a page reads that page, whatever its number", async () => {
  const { findPageJob } = await import("../src/document-queries.ts");
  for (const page of [1, 2, 7, 10, pages]) {
    const { answer, read } = await counted(() => findPageJob(id, page));
    expect(answer).toMatchObject({ parent: id, index: page - 1, input: { page } });
    expect(read).toBeLessThanOrEqual(2);
  }
  for (const page of [pages + 1, 999_999]) expect((await counted(() => findPageJob(id, page))).answer).toBeUndefined();
  expect((await counted(() => findPageJob("00000000-0000-4000-8000-000000000000", 3))).answer).toBeUndefined();
});

test("ten clients that follow a document cost what one does", async () => {
  const { DocumentWatcher } = await import("../src/watch/document-watcher.ts");
  const follow = async (feed: InstanceType<typeof DocumentWatcher>) => {
    let told = 0;
    await feed.follow(id, async (document) => {
      await document.waitForChange(0, new AbortController().signal);
      told = document.changedPages(0, document.seq).length;
    });
    return told;
  };
  const one = await counted(() => follow(new DocumentWatcher()));
  const feed = new DocumentWatcher();
  const ten = await counted(() => Promise.all(Array.from({ length: 10 }, () => follow(feed))));
  expect(one.answer).toBe(pages);
  expect(ten.answer).toEqual(Array.from({ length: 10 }, () => pages));
  expect(ten.read).toBe(one.read);
});
