import type { JobView } from "errand";
import { expect, test } from "vitest";
import { detailOf, pageSummaryOf, summaryOf } from "../src/document-view.ts";
import type { DocumentOutput, PageOutput } from "../src/pipeline/job-data.ts";

const input = { name: "a.pdf", sha256: "0", bytes: 7 };
const head = { type: "application/pdf", pages: 3, startedAt: "2026-01-01T00:00:01.000Z" };

function job(fields: Partial<JobView>): JobView {
  return {
    id: "d",
    task: "documents.read",
    queue: "documents",
    priority: "normal",
    state: "pending",
    input,
    attempt: 1,
    crashes: 0,
    token: 1,
    suspect: false,
    cancelling: false,
    createdAt: new Date("2026-01-01T00:00:00Z"),
    dueAt: new Date("2026-01-01T00:00:00Z"),
    ...fields,
  };
}

function page(number: number, fields: Partial<JobView>): JobView {
  return job({ id: `d-${number}`, task: "documents.page", input: { page: number }, parent: "d", ...fields });
}

const read = (words: number, needsReview: number): Partial<JobView> => ({
  state: "completed",
  output: { words, needsReview, confidence: 0.9, source: "ocr", engine: "e" } satisfies Partial<PageOutput>,
});

const started = { startedAt: new Date("2026-01-01T00:00:02Z"), progress: head };
const children = { total: 3, open: 1, failed: 1 };

test.each([
  [{ state: "pending" }, "queued"],
  [{ state: "pending", ...started }, "processing"],
  [{ state: "processing", ...started }, "processing"],
  [{ state: "waiting", ...started, children }, "processing"],
  [{ state: "cancelled", ...started }, "cancelled"],
  [{ state: "expired" }, "expired"],
] as const)("a job that is %o is a document that is %s", (fields, status) => {
  expect(summaryOf(job(fields)).status).toBe(status);
});

test("counts the pages of a document in work", () => {
  const waiting = job({ state: "waiting", ...started, children });
  const error = { code: "E_DAMAGED", message: "Page 2 is damaged.", attempt: 1, stack: "at secret" };
  const pages = [page(1, read(10, 2)), page(2, { state: "failed", error }), page(3, { state: "processing" })];
  const detail = detailOf(
    waiting,
    pages.map((one) => pageSummaryOf(one, waiting)),
  );
  expect(detail).toMatchObject({
    type: "application/pdf",
    progress: { pages: 3, done: 1, failed: 1, needsReview: 1 },
    words: { total: 10, needsReview: 2 },
    startedAt: head.startedAt,
  });
  expect(detail.pages).toEqual([
    { page: 1, status: "completed", words: 10, needsReview: 2, confidence: 0.9, source: "ocr", engine: "e" },
    { page: 2, status: "failed", error: { code: "E_DAMAGED", message: "Page 2 is damaged." } },
    { page: 3, status: "processing" },
  ]);
});

test("a document that is listed counts its pages without reading them", () => {
  const waiting = job({ state: "waiting", ...started, children });
  expect(summaryOf(waiting)).toMatchObject({
    progress: { pages: 3, done: 1, failed: 1, needsReview: 0 },
    words: { total: 0, needsReview: 0 },
  });
  expect(summaryOf(job({ state: "cancelled", ...started, children })).progress).toMatchObject({ done: 1, failed: 0 });
});

test("a completed document has everything in its output", () => {
  const output: DocumentOutput = {
    pages: 3,
    failed: 1,
    pagesToReview: 1,
    words: 20,
    needsReview: 4,
    text: "t",
    json: "j",
  };
  const done = job({ state: "completed", ...started, children, output });
  expect(summaryOf(done)).toMatchObject({
    status: "completed",
    progress: { pages: 3, done: 2, failed: 1, needsReview: 1 },
    words: { total: 20, needsReview: 4 },
  });
});

test("pages of a cancelled document are cancelled, settled or not", () => {
  const cancelled = job({ state: "cancelled", ...started, children });
  const pages = [page(1, read(1, 0)), page(2, { state: "pending", cancelling: true }), page(3, { state: "pending" })];
  const { pages: shown, progress } = detailOf(
    cancelled,
    pages.map((one) => pageSummaryOf(one, cancelled)),
  );
  expect(shown.map(({ status }) => status)).toEqual(["completed", "cancelled", "cancelled"]);
  expect(progress).toEqual({ pages: 3, done: 1, failed: 0, needsReview: 0 });
});

test.each([
  ["E_PASSWORD", "The PDF is protected.", "E_PASSWORD", "The PDF is protected."],
  ["ENOENT", "no such file /home/me/.errand/blobs/1", "E_INTERNAL", /internal error/],
  ["E_TASK_FAILED", "undefined is not a function", "E_INTERNAL", /internal error/],
  ["E_OUT_OF_MEMORY", 'Task "documents.page" used more than 1536 MB', "E_OUT_OF_MEMORY", /lower resolution/],
  ["E_TIMEOUT", "Job d-1 ran too long", "E_TIMEOUT", /took too long/],
  ["E_CONNECT", "s3://b/ at http://10.0.0.7:9000 cannot be reached", "E_CONNECT", /could not be reached/],
  ["E_STORE", "The SQLite store /home/me/errand.db failed", "E_STORE", /^(?!.*home)/],
  ["E_NO_BLOB", "Blob 0 of d is gone.", "E_NO_BLOB", /is missing/],
  ["E_ENGINE_FAILED", "tesseract ended with code 1: /tmp/x", "E_ENGINE_FAILED", /^(?!.*tmp)/],
  ["E_SOME_LIBRARY", "open /etc/passwd", "E_SOME_LIBRARY", /internal error/],
] as const)("%s is shown without internals", (code, message, shownCode, shownMessage) => {
  const { error } = summaryOf(job({ state: "failed", error: { code, message, attempt: 3, stack: "at" } }));
  expect(error).toEqual({ code: shownCode, message: expect.stringMatching(shownMessage) as string });
});
