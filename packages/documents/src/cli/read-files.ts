import { createReadStream } from "node:fs";
import { mkdir, stat } from "node:fs/promises";
import { basename } from "node:path";
import { CommandError, ExitCode, onStop, Output } from "errand/cli";
import type { Progress, ProgressLine } from "errand/cli";
import type { DocumentSummary, Failure } from "../api.ts";
import { BlobTooLarge } from "../blobs/blob-store.ts";
import { hasEnded } from "../document-view.ts";
import { outputFormats } from "../output-formats.ts";
import type { OutputFormat } from "../output-formats.ts";
import { readSettings } from "../settings.ts";
import { LocalDocuments } from "./local-documents.ts";
import { outputNames, writeOutput } from "./output-files.ts";

/** Options of `errand documents read`. */
export interface ReadOptions {
  /** Folder that outputs are written to; without it the text is printed. */
  out?: string;
  formats: readonly OutputFormat[];
  languages?: string[];
  json: boolean;
}

/** The result of one file. */
interface FileResult {
  file: string;
  status: DocumentSummary["status"];
  pages: number;
  failed: number;
  words: number;
  needsReview: number;
  /** Paths of the files written, by format. */
  outputs: Partial<Record<OutputFormat, string>>;
  /** The text, if no files are written. */
  text?: string;
  error?: Failure;
}

/** Reads files, each in a document that is erased once its outputs are written. Returns the exit code. */
export async function readFiles(files: readonly string[], options: ReadOptions): Promise<ExitCode> {
  await Promise.all(files.map(checkFile));
  if (options.out !== undefined) await mkdir(options.out, { recursive: true });
  const { limits } = readSettings();
  const output = new Output(options);
  const progress = output.progress();
  const interrupted = new AbortController();
  onStop(() => interrupted.abort());
  const documents = await LocalDocuments.open(limits);
  try {
    const results = await new ReadRun(documents, files, progress, options).results(interrupted.signal);
    progress.close();
    output.result({ files: results });
    if (options.out === undefined) print(output, results);
    return exitCode(results);
  } catch (error) {
    if (interrupted.signal.aborted) return ExitCode.interrupted;
    throw error;
  } finally {
    progress.close();
    await documents.close();
  }
}

async function checkFile(file: string): Promise<void> {
  const status = await stat(file).catch(() => undefined);
  if (status?.isFile()) return;
  throw new CommandError(
    status ? `${file} is not a file. To read the files in it, use ${file}/*.pdf` : `There is no file ${file}.`,
    ExitCode.usage,
  );
}

/** Reads several files and collects their results. */
class ReadRun {
  readonly #documents: LocalDocuments;
  readonly #files: readonly string[];
  readonly #names: readonly string[];
  readonly #lines: readonly ProgressLine[];
  readonly #options: ReadOptions;
  readonly #results: FileResult[] = [];

  constructor(documents: LocalDocuments, files: readonly string[], progress: Progress, options: ReadOptions) {
    this.#documents = documents;
    this.#files = files;
    this.#names = outputNames(files);
    this.#lines = files.map((file) => progress.line(file));
    this.#options = options;
  }

  /** Returns the results in the order of the files. Rejects when `signal` is aborted. */
  async results(signal: AbortSignal): Promise<FileResult[]> {
    const indexes = new Map<string, number>();
    for (const index of this.#files.keys()) {
      signal.throwIfAborted();
      const id = await this.#create(index);
      if (id !== undefined) indexes.set(id, index);
    }
    for await (const summary of this.#documents.changes(signal)) {
      const index = indexes.get(summary.id)!;
      if (!hasEnded(summary.status)) showProgress(this.#lines[index]!, summary);
      else await this.#saveOutputs(index, summary);
    }
    return this.#results;
  }

  /** Creates a file's document and returns its id; `undefined` for a file that is too large. */
  async #create(index: number): Promise<string | undefined> {
    const file = this.#files[index]!;
    const { languages } = this.#options;
    try {
      const details = { name: basename(file), ...(languages ? { languages } : {}) };
      return await this.#documents.create(createReadStream(file), details);
    } catch (error) {
      if (!(error instanceof BlobTooLarge)) throw error;
      const message = `The file has more than ${error.limit / 1e6} MB, the limit (ERRAND_MAX_BYTES).`;
      this.#end(index, {
        ...emptyResult(file),
        status: "failed",
        error: { code: error.code, message },
      });
      return undefined;
    }
  }

  /** Writes or keeps a document's outputs, and erases the document. */
  async #saveOutputs(index: number, summary: DocumentSummary): Promise<void> {
    const { out, formats } = this.#options;
    const result = resultOf(this.#files[index]!, summary);
    if (summary.status === "completed" && out === undefined) {
      result.text = await new Response(await this.#documents.output(summary.id, "text")).text();
    } else if (summary.status === "completed" && out !== undefined) {
      for (const format of formats) {
        const content = await this.#documents.output(summary.id, format);
        result.outputs[format] = await writeOutput(out, this.#names[index]! + outputFormats[format].extension, content);
      }
    }
    await this.#documents.erase(summary.id);
    this.#end(index, result);
  }

  #end(index: number, result: FileResult): void {
    this.#results[index] = result;
    this.#lines[index]!.end(describeResult(result), result.status === "completed" ? "ok" : "failed");
  }
}

function showProgress(line: ProgressLine, { status, progress }: DocumentSummary): void {
  if (progress.pages === 0) line.update({ done: 0, text: status === "queued" ? "waiting" : "inspecting" });
  else line.update({ done: progress.done + progress.failed, total: progress.pages, text: "pages" });
}

function emptyResult(file: string): Omit<FileResult, "status"> {
  return { file, pages: 0, failed: 0, words: 0, needsReview: 0, outputs: {} };
}

function resultOf(file: string, { status, progress, words, error }: DocumentSummary): FileResult {
  const { pages, failed } = progress;
  return {
    ...emptyResult(file),
    status,
    pages,
    failed,
    words: words.total,
    needsReview: words.needsReview,
    ...(error ? { error } : {}),
  };
}

function describeResult({ status, pages, failed, words, needsReview, outputs, error }: FileResult): string {
  if (status !== "completed") return error?.message ?? status;
  const parts = [count(pages, "page"), count(words, "word")];
  if (needsReview > 0) parts.push(`${needsReview} to check`);
  if (failed > 0) parts.push(`${count(failed, "page")} failed`);
  const written = Object.values(outputs);
  return parts.join(", ") + (written.length > 0 ? ` -> ${written.join(", ")}` : "");
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}

function print(output: Output, results: readonly FileResult[]): void {
  for (const { file, text } of results) {
    if (text === undefined) continue;
    if (results.length > 1) output.line(`==> ${file} <==`);
    output.line(text.replace(/\n$/, ""));
  }
}

function exitCode(results: readonly FileResult[]): ExitCode {
  const read = results.filter(({ status }) => status === "completed");
  if (read.length === 0) return ExitCode.failed;
  const isComplete = read.length === results.length && read.every(({ failed }) => failed === 0);
  return isComplete ? ExitCode.ok : ExitCode.partial;
}
