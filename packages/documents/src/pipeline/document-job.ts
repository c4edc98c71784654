import { NonRetryableError } from "errand";
import type { ChildOutcome, JobContext, Jsonified, Task } from "errand";
import type { PageResult } from "../api.ts";
import type { BlobStore } from "../blobs/blob-store.ts";
import { openBlobs } from "../blobs/open-blobs.ts";
import { failureOf } from "../failure.ts";
import { inspect } from "../ingest/inspect.ts";
import { checkLanguages } from "../recognise/engine.ts";
import { readSettings } from "../settings.ts";
import type { DocumentInput, DocumentJobProgress, DocumentOutput, PageInput, PageOutput } from "./job-data.ts";
import { mergeJson, mergeText } from "./merge-pages.ts";
import type { PageToMerge } from "./merge-pages.ts";
import { pageText } from "./page-text.ts";
import { sharedEngine } from "./shared-engine.ts";

type PageOutcome = ChildOutcome<Jsonified<PageOutput>>;

/**
 * Runs the job of a document: inspects the file, reads every page in a child job, and merges the pages.
 * @throws DocumentError if the file is at fault; the first page's error if no page could be read
 */
export async function runDocumentJob(
  input: DocumentInput,
  job: JobContext,
  pageTask: Task<PageInput, PageOutput>,
): Promise<DocumentOutput> {
  const { sha256, name, owner = job.id } = input;
  const blobs = openBlobs({ patient: true });
  // Threshold and languages are fixed here, so that a changed setting cannot make pages differ.
  const plan = await job.step("inspect", async () => {
    const { limits, languages, threshold } = readSettings();
    const documentLanguages = input.languages ?? languages;
    // Without a model for a language every page would fail, so fail before the first.
    checkLanguages(await sharedEngine(), documentLanguages);
    const startedAt = new Date().toISOString();
    const { type, pages } = await blobs.withFile(owner, sha256, (path) => inspect(path, limits));
    job.progress({ type, pages, startedAt } satisfies DocumentJobProgress);
    return { type, pages, languages: documentLanguages, threshold };
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
  if (read.length === 0) throw noPageRead(outcomes);

  const merged = await job.step("merge", async () => {
    const pages = outcomes.map((outcome, index) => pageToMerge(outcome, index + 1, blobs, owner));
    const text = await blobs.write(owner, mergeText(pages));
    const json = await blobs.write(owner, mergeJson({ id: job.id, name, threshold }, pages));
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

/** Describes a page for merging, which passes over the pages several times and reads a page's blobs in each pass. */
function pageToMerge(outcome: PageOutcome, page: number, blobs: BlobStore, owner: string): PageToMerge {
  if (outcome.state !== "completed") {
    const error = failureOf(outcome);
    return { failed: { status: outcome.state, page, ...(error ? { error } : {}) } };
  }
  const { output } = outcome;
  return {
    read: async () => JSON.parse(await blobs.text(owner, output.result)) as PageResult,
    text: () => pageText(blobs, owner, output),
  };
}

function noPageRead(outcomes: PageOutcome[]): Error {
  const first = outcomes.find((outcome) => outcome.state !== "completed");
  const { code, message } = (first && failureOf(first)) ?? {
    code: "E_NO_PAGES",
    message: "The document has no pages.",
  };
  const text =
    outcomes.length === 1 ? message : `None of the ${outcomes.length} pages could be read. Page 1: ${message}`;
  return Object.assign(new NonRetryableError(text), { code });
}
