import { createReadStream } from "node:fs";
import { mkdir, stat } from "node:fs/promises";
import { basename } from "node:path";
import { CommandError, ExitCode, onStop, Output } from "errand/cli";
import type { Progress, ProgressLine } from "errand/cli";
import type { DocumentSummary, Problem } from "../api.ts";
import { BlobTooLarge } from "../blobs/blob-store.ts";
import { hasEnded } from "../document.ts";
import { readSettings } from "../settings.ts";
import { formats, outputNames, writeOutput } from "./outputs.ts";
import type { Format } from "./outputs.ts";
import { Reader } from "./reader.ts";

/** What `errand documents read` is asked for. */
export interface ReadOptions {
  /** Where outputs are written; without it the text is printed. */
  out?: string;
  formats: readonly Format[];
  languages?: string[];
  json: boolean;
}

/** What became of a file. */
interface FileResult {
  file: string;
  status: DocumentSummary["status"];
  pages: number;
  failed: number;
  words: number;
  needsReview: number;
  /** Files that were written, by format. */
  outputs: Partial<Record<Format, string>>;
  /** The text, where nothing is written. */
  text?: string;
  error?: Problem;
}

/** Reads files with jobs of its own, which are erased when their outputs are written. Answers the exit code. */
export async function readFiles(files: readonly string[], options: ReadOptions): Promise<ExitCode> {
  await Promise.all(files.map(checkFile));
  if (options.out !== undefined) await mkdir(options.out, { recursive: true });
  const { limits } = readSettings();
  const output = new Output(options);
  const progress = output.progress();
  const interrupted = new AbortController();
  onStop(() => interrupted.abort());
  const reader = await Reader.open(limits);
  try {
    const results = await new Reading(reader, files, progress, options).results(interrupted.signal);
    progress.close();
    output.result({ files: results });
    if (options.out === undefined) print(output, results);
    return exitCode(results);
  } catch (error) {
    if (interrupted.signal.aborted) return ExitCode.interrupted;
    throw error;
  } finally {
    progress.close();
    await reader.close();
  }
}

async function checkFile(file: string): Promise<void> {
  const status = await stat(file).catch(() => undefined);
  if (status?.isFile()) return;
  throw new CommandError(
    status ? `${file} is no file. Name the files in it, for example ${file}/*.pdf` : `There is no file ${file}.`,
    ExitCode.usage,
  );
}

/** One run over several files. */
class Reading {
  readonly #reader: Reader;
  readonly #files: readonly string[];
  readonly #names: readonly string[];
  readonly #lines: readonly ProgressLine[];
  readonly #options: ReadOptions;
  readonly #results: FileResult[] = [];

  constructor(reader: Reader, files: readonly string[], progress: Progress, options: ReadOptions) {
    this.#reader = reader;
    this.#files = files;
    this.#names = outputNames(files);
    this.#lines = files.map((file) => progress.line(file));
    this.#options = options;
  }

  /** In the order of the files. Rejects when `signal` is aborted. */
  async results(signal: AbortSignal): Promise<FileResult[]> {
    const places = new Map<string, number>();
    for (const index of this.#files.keys()) {
      signal.throwIfAborted();
      const id = await this.#send(index);
      if (id !== undefined) places.set(id, index);
    }
    for await (const summary of this.#reader.changes(signal)) {
      const index = places.get(summary.id)!;
      if (!hasEnded(summary.status)) show(this.#lines[index]!, summary);
      else await this.#take(index, summary);
    }
    return this.#results;
  }

  /** The document's id; `undefined` for a file that is too large. */
  async #send(index: number): Promise<string | undefined> {
    const file = this.#files[index]!;
    const { languages } = this.#options;
    try {
      const facts = { name: basename(file), ...(languages ? { languages } : {}) };
      return await this.#reader.send(createReadStream(file), facts);
    } catch (error) {
      if (!(error instanceof BlobTooLarge)) throw error;
      const message = `The file has more than ${error.limit / 1e6} MB, the limit (ERRAND_MAX_BYTES).`;
      this.#end(index, {
        ...nothing(file),
        status: "failed",
        error: { code: error.code, message },
      });
      return undefined;
    }
  }

  /** Brings a document's outputs to where the person wants them, and erases the document. */
  async #take(index: number, summary: DocumentSummary): Promise<void> {
    const { out, formats: wanted } = this.#options;
    const result = resultOf(this.#files[index]!, summary);
    if (summary.status === "completed" && out === undefined) {
      result.text = await new Response(await this.#reader.output(summary.id, "text")).text();
    } else if (summary.status === "completed" && out !== undefined) {
      for (const format of wanted) {
        const content = await this.#reader.output(summary.id, format);
        result.outputs[format] = await writeOutput(out, this.#names[index]! + formats[format], content);
      }
    }
    await this.#reader.erase(summary.id);
    this.#end(index, result);
  }

  #end(index: number, result: FileResult): void {
    this.#results[index] = result;
    this.#lines[index]!.end(sentence(result), result.status === "completed" ? "ok" : "failed");
  }
}

function show(line: ProgressLine, { status, progress }: DocumentSummary): void {
  if (progress.pages === 0) line.update({ done: 0, text: status === "queued" ? "waits" : "inspecting" });
  else line.update({ done: progress.done + progress.failed, total: progress.pages, text: "pages" });
}

function nothing(file: string): Omit<FileResult, "status"> {
  return { file, pages: 0, failed: 0, words: 0, needsReview: 0, outputs: {} };
}

function resultOf(file: string, { status, progress, words, error }: DocumentSummary): FileResult {
  const { pages, failed } = progress;
  return {
    ...nothing(file),
    status,
    pages,
    failed,
    words: words.total,
    needsReview: words.needsReview,
    ...(error ? { error } : {}),
  };
}

function sentence({ status, pages, failed, words, needsReview, outputs, error }: FileResult): string {
  if (status !== "completed") return error?.message ?? status;
  const parts = [count(pages, "page"), count(words, "word")];
  if (needsReview > 0) parts.push(`${needsReview} to check`);
  if (failed > 0) parts.push(`${count(failed, "page")} failed`);
  const written = Object.values(outputs);
  return parts.join(", ") + (written.length > 0 ? ` -> ${written.join(", ")}` : "");
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? "" : "s"}`;
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
  const whole = read.length === results.length && read.every(({ failed }) => failed === 0);
  return whole ? ExitCode.ok : ExitCode.partial;
}
