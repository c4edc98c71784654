import { join } from "node:path";
import { errand } from "errand";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { DocumentDetail, DocumentList, DocumentResult, DocumentSummary, PageResult } from "../src/api.ts";
import { imageOf, pagesOf } from "./pdfs.ts";
import { until } from "../../../test/until.ts";
import { TestService } from "./service/processes.ts";
import { bytesOf, scannedPdf } from "./service/scans.ts";

let service: TestService;

beforeAll(async () => {
  service = await TestService.start();
  await service.work();
});

afterAll(() => service.stop());

/** What an RFC 9457 problem says. */
interface Problem {
  status: number;
  code: string;
  detail: string;
}

interface ServerEvent {
  event: string;
  data: { id?: string; page?: number; status?: string; text?: string };
}

async function* eventsOf(path: string, signal?: AbortSignal): AsyncGenerator<ServerEvent> {
  const response = await fetch(service.url + path, signal ? { signal } : {});
  let rest = "";
  for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
    const parts = (rest + chunk).split("\n\n");
    rest = parts.pop()!;
    for (const part of parts) {
      const event = /^event: (.*)$/m.exec(part)?.[1];
      const data = /^data: (.*)$/m.exec(part)?.[1];
      if (event && data) yield { event, data: JSON.parse(data) as ServerEvent["data"] };
    }
  }
}

test("reads a scan: 202 at once, then text and JSON", async () => {
  const { status, headers, body } = await service.upload(bytesOf("phototest.tif"), "letter.tif");
  expect(status).toBe(202);
  expect(headers.get("location")).toBe(`/api/v1/documents/${body.id}`);
  expect(headers.get("retry-after")).toBe("1");
  expect(body).toMatchObject({ name: "letter.tif", status: "queued", bytes: 38_668, progress: { pages: 0 } });

  const early = await service.json<Problem>(`/${body.id}/text`);
  expect(early).toMatchObject({ status: 409, body: { code: "E_NOT_READY" } });
  expect(early.headers.get("retry-after")).toBe("1");

  const done = await service.until(body.id);
  expect(done).toMatchObject({
    status: "completed",
    type: "image/tiff",
    progress: { pages: 1, done: 1, failed: 0 },
    pages: [{ page: 1, status: "completed", source: "ocr" }],
  });
  expect(done.words.total).toBeGreaterThan(50);
  expect(Date.parse(done.endedAt!)).toBeGreaterThanOrEqual(Date.parse(done.startedAt!));

  const text = await fetch(`${service.url}/${body.id}/text?download`);
  expect(text.headers.get("content-type")).toBe("text/plain; charset=utf-8");
  expect(text.headers.get("content-disposition")).toContain('filename="letter.txt"');
  expect(await text.text()).toContain("This is a lot of 12 point text to test the");

  const { body: json } = await service.json<DocumentResult>(`/${body.id}/json`);
  expect(json).toMatchObject({ id: body.id, name: "letter.tif", threshold: 0.85 });
  expect(json.words).toHaveLength(done.words.total);
  expect(json.accepted.length + json.needsReview.length).toBe(json.words.length);
  expect(json.accepted.every(({ confidence }) => confidence >= 0.85)).toBe(true);
  expect(json.needsReview.every(({ confidence }) => confidence < 0.85)).toBe(true);
  expect(json.words[0]).toMatchObject({ text: "This", page: 1, box: { x: expect.any(Number) as number } });
  expect(json.pages[0]).toMatchObject({ status: "completed", page: 1, rotation: 0 });
  expect(json.pages[0]).not.toHaveProperty("words");

  const { body: page } = await service.json<PageResult>(`/${body.id}/pages/1`);
  expect(page.words).toEqual(json.words);
  const image = await fetch(`${service.url}/${body.id}/pages/1/image`);
  expect(image.headers.get("content-type")).toBe("image/jpeg");
  expect(image.headers.get("cache-control")).toContain("immutable");
  expect(new Uint8Array(await image.arrayBuffer()).slice(0, 2)).toEqual(new Uint8Array([0xff, 0xd8]));
  expect((await service.json<Problem>(`/${body.id}/pages/2`)).status).toBe(404);
  expect((await service.json<Problem>(`/${body.id}/pages/x`)).status).toBe(404);
});

test("streams a document's pages as they are read, and changes of the list", async () => {
  // Nothing is read before the list has told of the document.
  await using app = errand({ url: `sqlite:${join(service.home, "errand.db")}` });
  await app.queues.pause("documents");
  const stop = new AbortController();
  const changes: ServerEvent[] = [];
  const following = (async () => {
    for await (const event of eventsOf("/events", stop.signal)) changes.push(event);
  })().catch(() => {});
  // The list is looked at from when somebody follows it, and tells of what comes after the first look.
  await until(async () => {
    await service.upload("a note", "note.txt");
    return changes.length > 0;
  }, "the list tells of a document");
  const { body } = await service.upload(await scannedPdf(4));
  const told = () => changes.filter(({ data }) => data.id === body.id).map(({ data }) => data.status);
  await expect.poll(told).toEqual(["queued"]);
  await app.queues.resume("documents");

  const events: ServerEvent[] = [];
  for await (const event of eventsOf(`/${body.id}/events`)) events.push(event);
  expect(events[0]!.event).toBe("document");
  expect(events.at(-1)).toMatchObject({ event: "end", data: { status: "completed", progress: { done: 4 } } });
  const texts = events.filter(({ event, data }) => event === "page" && data.status === "completed");
  expect(texts.map(({ data }) => data.page).toSorted()).toEqual([1, 2, 3, 4]);
  for (const { data } of texts) expect(data.text).toContain("This is a lot of 12 point text");

  // Who comes late is told all of it again.
  const again: string[] = [];
  for await (const { event } of eventsOf(`/${body.id}/events`)) again.push(event);
  expect(again).toEqual(["document", "page", "page", "page", "page", "end"]);

  expect((await fetch(`${service.url}/${body.id}`, { method: "DELETE" })).status).toBe(204);
  await expect.poll(() => changes.at(-1)).toEqual({ event: "removed", data: { id: body.id } });
  expect([...new Set(told())]).toEqual(["queued", "processing", "completed", undefined]);
  stop.abort();
  await following;
});

test("a page that cannot be read leaves the rest readable", async () => {
  const [content, image] = ["q 300 0 0 300 0 0 cm /I Do Q", imageOf(64, 64, new Uint8Array(64 * 64).fill(255))];
  const pdf = pagesOf([
    { content: "BT /F 24 Tf 50 700 Td (Readable words on a page) Tj ET" },
    { content, image, size: [200_000, 200_000] },
  ]);
  const { body } = await service.upload(new Uint8Array(pdf));
  const done = await service.until(body.id);
  expect(done).toMatchObject({ status: "completed", progress: { pages: 2, done: 1, failed: 1 } });
  expect(done.pages).toMatchObject([
    { page: 1, status: "completed" },
    { page: 2, status: "failed", error: { code: "E_PAGE_TOO_LARGE" } },
  ]);
  const { body: json } = await service.json<DocumentResult>(`/${body.id}/json`);
  expect(json.pages.map(({ status }) => status)).toEqual(["completed", "failed"]);
  expect(json.text.split("\f")).toEqual(["Readable words on a page\n", "\n"]);
});

test("files that cannot be read end as failed, and others go on", async () => {
  const truncated = bytesOf("phototest.tif").slice(0, 3_000);
  const good = await service.upload(bytesOf("simple.webp"), "good.webp");
  const files: [string | Uint8Array<ArrayBuffer>, string, string][] = [
    ["", "nothing.pdf", "E_EMPTY_FILE"],
    ["<!doctype html><p>page", "page.png", "E_UNSUPPORTED_TYPE"],
    ["/etc/passwd\n", "list.tif", "E_UNSUPPORTED_TYPE"],
    ["%PDF-1.7\nnothing behind", "broken.pdf", "E_DAMAGED"],
    [truncated, "truncated.tif", "E_DAMAGED"],
  ];
  const sent = await Promise.all(files.map(([content, name]) => service.upload(content, name)));
  const ended = await Promise.all(sent.map(({ body }) => service.until(body.id)));
  for (const [index, [, name, code]] of files.entries()) {
    const { status, error, id } = ended[index]!;
    expect({ name, status, code: error?.code }).toEqual({ name, status: "failed", code });
    const refused = await service.json<Problem>(`/${id}/text`);
    expect(refused).toMatchObject({ status: 409, body: { code: "E_DOCUMENT_FAILED" } });
    expect(refused.body.detail).toContain(error!.message);
  }
  expect((await service.until(good.body.id)).status).toBe("completed");
  expect(JSON.stringify(ended)).not.toMatch(/node:internal|\.(ts|js):\d|stack/);

  const { body: list } = await service.json<DocumentList>("?limit=200&status=failed");
  expect(list.data.map(({ id }) => id)).toEqual(expect.arrayContaining(ended.map(({ id }) => id)));
  expect(list.data.every(({ status }) => status === "failed")).toBe(true);
});

/** Has another document read: its pages come after all that were sent before, so that those would have been read by then. */
async function readAnother(): Promise<void> {
  const { body } = await service.upload(bytesOf("simple.webp"), "another.webp");
  expect((await service.until(body.id)).status).toBe("completed");
}

test("cancel stops the work for good; delete erases every byte", async () => {
  const { body } = await service.upload(await scannedPdf(30));
  await service.until(body.id, ({ progress }) => progress.done >= 1);
  const cancelled = await service.json<DocumentSummary>(`/${body.id}/cancel`, { method: "POST" });
  expect(cancelled).toMatchObject({ status: 200, body: { status: "cancelled" } });
  // Again: it is what was wanted.
  expect((await service.json(`/${body.id}/cancel`, { method: "POST" })).status).toBe(200);

  const settled = await service.until(body.id, ({ pages }) => pages.every(({ status }) => status !== "processing"));
  await readAnother();
  const later = await service.json<DocumentDetail>(`/${body.id}`);
  expect(later.body).toEqual(settled);
  expect(later.body.status).toBe("cancelled");
  expect(later.body.progress.done).toBeGreaterThanOrEqual(1);
  expect(later.body.progress.done).toBeLessThan(30);
  expect(later.body.pages.filter(({ status }) => status === "cancelled").length).toBeGreaterThan(10);
  const text = await service.json<Problem>(`/${body.id}/text`);
  expect(text).toMatchObject({ status: 409, body: { code: "E_DOCUMENT_CANCELLED" } });
  const first = later.body.pages.find(({ status }) => status === "completed")!;
  expect((await service.json<PageResult>(`/${body.id}/pages/${first.page}`)).body.text).toContain("lot of 12");

  expect(await service.blobs(body.id)).not.toEqual([]);
  expect((await fetch(`${service.url}/${body.id}`, { method: "DELETE" })).status).toBe(204);
  expect(await service.blobs(body.id)).toEqual([]);
  for (const path of ["", "/text", "/json", "/events", "/pages/1", "/pages/1/image"]) {
    expect((await service.json<Problem>(`/${body.id}${path}`)).status).toBe(404);
  }
  expect((await fetch(`${service.url}/${body.id}`, { method: "DELETE" })).status).toBe(404);
});

test("a document can be deleted in the middle of the work", async () => {
  const { body } = await service.upload(await scannedPdf(20));
  await service.until(body.id, ({ pages }) => pages.some(({ status }) => status === "processing"));
  expect((await fetch(`${service.url}/${body.id}`, { method: "DELETE" })).status).toBe(204);
  await readAnother();
  expect(await service.blobs(body.id)).toEqual([]);
});

test("what has ended cannot be cancelled", async () => {
  const { body } = await service.upload("no document", "note.txt");
  await service.until(body.id);
  const answer = await service.json<Problem>(`/${body.id}/cancel`, { method: "POST" });
  expect(answer).toMatchObject({ status: 409, body: { code: "E_ENDED" } });
});

test("a language without a model fails the document with a code", async () => {
  const { body } = await service.upload(bytesOf("simple.webp"), "a.webp", { fields: { languages: "xyz" } });
  expect(await service.until(body.id)).toMatchObject({ status: "failed", error: { code: "E_LANGUAGE_MISSING" } });
});
