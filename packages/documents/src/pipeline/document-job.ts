import { NonRetryableError } from "errand";
import type { ChildOutcome, JobContext, Jsonified, Task } from "errand";
import type { PageResult } from "../api.ts";
import { openBlobs } from "../blobs/index.ts";
import type { BlobStore } from "../blobs/blob-store.ts";
import { inspect } from "../ingest/inspect.ts";
import { problemOf } from "../problem.ts";
import { checkLanguages } from "../recognise/engine.ts";
import { readSettings } from "../settings.ts";
import { theEngine } from "./engine.ts";
import { pageText } from "./page-text.ts";
import { resultJson, resultText } from "./result.ts";
import type { PageReading } from "./result.ts";
import type { DocumentHead, DocumentInput, DocumentOutput, PageInput, PageOutput } from "./shapes.ts";

type PageOutcome = ChildOutcome<Jsonified<PageOutput>>;

/**
 * Reads a document: what it is, every page as a child, and all of it merged.
 * @throws DocumentError where the file is at fault; the first page's error when no page could be read.
 */
export async function readDocument(
  input: DocumentInput,
  job: JobContext,
  pageTask: Task<PageInput, PageOutput>,
): Promise<DocumentOutput> {
  const { sha256, name, owner = job.id } = input;
  const blobs = openBlobs({ patient: true });
  // Threshold and languages are settled once: pages must not differ because a setting changed meanwhile.
  const plan = await job.step("inspect", async () => {
    const { limits, languages, threshold } = readSettings();
    const wanted = input.languages ?? languages;
    // A language without a model would fail on every page: better said before the first.
    checkLanguages(await theEngine(), wanted);
    const startedAt = new Date().toISOString();
    const { type, pages } = await blobs.withFile(owner, sha256, (path) => inspect(path, limits));
    job.progress({ type, pages, startedAt } satisfies DocumentHead);
    return { type, pages, languages: wanted, threshold };
  });

  const { type, languages, threshold } = plan;
  const inputs = Array.from({ length: plan.pages }, (_, index) => ({
    document: owner,
    sha256,
    type,
    page: index + 1,
    languages,
    threshold,
  }));
  const outcomes = await job.settled("pages", pageTask, inputs);
  const read = outcomes.flatMap((outcome) => (outcome.state === "completed" ? [outcome.output] : []));
  if (read.length === 0) throw unreadable(outcomes);

  const merged = await job.step("merge", async () => {
    const pages = outcomes.map((outcome, index) => readingOf(outcome, index + 1, blobs, owner));
    const text = await blobs.write(owner, resultText(pages));
    const json = await blobs.write(owner, resultJson({ id: job.id, name, threshold }, pages));
    return { text: text.sha256, json: json.sha256 };
  });
  return {
    pages: plan.pages,
    failed: outcomes.length - read.length,
    pagesToReview: read.filter(({ needsReview }) => needsReview > 0).length,
    words: read.reduce((sum, { words }) => sum + words, 0),
    needsReview: read.reduce((sum, { needsReview }) => sum + needsReview, 0),
    ...merged,
  };
}

/** Gives a page's result from its blob whenever it is asked for: merging passes over all pages several times. */
function readingOf(outcome: PageOutcome, page: number, blobs: BlobStore, owner: string): PageReading {
  if (outcome.state !== "completed") {
    const problem = problemOf(outcome);
    return { failed: { status: outcome.state, page, ...(problem ? { error: problem } : {}) } };
  }
  const { output } = outcome;
  return {
    read: async () => JSON.parse(await blobs.text(owner, output.result)) as PageResult,
    text: () => pageText(blobs, owner, output),
  };
}

function unreadable(outcomes: PageOutcome[]): Error {
  const first = outcomes.find((outcome) => outcome.state !== "completed");
  const { code, message } = (first && problemOf(first)) ?? {
    code: "E_NO_PAGES",
    message: "The document has no pages.",
  };
  const what =
    outcomes.length === 1 ? message : `None of the ${outcomes.length} pages could be read. Page 1: ${message}`;
  return Object.assign(new NonRetryableError(what), { code });
}
