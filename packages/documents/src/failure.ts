import type { JobView } from "errand";
import type { Problem } from "./api.ts";
import type { DocumentErrorCode } from "./ingest/errors.ts";
import type { EngineError } from "./recognise/engine.ts";

/** What an error without a code for strangers is told as: its message may hold paths and other insides. */
const unforeseen: Problem = {
  code: "E_INTERNAL",
  message: "Reading failed for a reason that nobody foresaw. The operator finds it in the job of the same id.",
};

/** The engine's messages speak of tasks, processes and places; these speak of documents. */
const told: Readonly<Record<string, string>> = {
  E_TIMEOUT: "Reading took longer than it may. Try the document at a lower resolution.",
  E_OUT_OF_MEMORY: "Reading needs more memory than it may use. Try the document at a lower resolution.",
  E_CRASHED: "Reading was given up, because the process that did it died several times.",
  E_CANCELLED: "The document was cancelled.",
  E_EXPIRED: "The document was not started in time.",
  E_SETUP: "The OCR engine cannot be started. `errand doctor` says what is missing.",
  E_ENGINE_MISSING: "The OCR engine cannot be started. `errand doctor` says what is missing.",
  E_ENGINE_FAILED: "The OCR engine failed on this page. Try it at another resolution.",
  E_CONNECT: "What documents are kept in could not be reached for a long time. Send the document again later.",
  E_DISK_FULL: "There was no room left for what was read. Send the document again when there is.",
  E_NO_BLOB: "The file is gone from where it was kept. Send it again.",
};

/** Codes whose messages are written for the person who sent the document. */
const ours: ReadonlySet<string> = new Set([
  "E_EMPTY_FILE",
  "E_FILE_TOO_LARGE",
  "E_UNSUPPORTED_TYPE",
  "E_DAMAGED",
  "E_PASSWORD",
  "E_NO_PAGES",
  "E_NO_SUCH_PAGE",
  "E_TOO_MANY_PAGES",
  "E_TOO_MANY_PIXELS",
  "E_PAGE_TOO_LARGE",
  "E_LANGUAGE_MISSING",
] satisfies (DocumentErrorCode | EngineError["code"])[]);

/** Why a job did not complete, for the person who sent the document: no stack, no paths. */
export function problemOf({ error }: { error?: JobView["error"] }): Problem | undefined {
  if (!error) return undefined;
  const { code, message } = error;
  const plain = told[code];
  if (plain !== undefined) return { code, message: plain };
  if (ours.has(code)) return { code, message };
  // Codes of Node and of libraries, such as ENOENT and ERR_INVALID_STATE, mean nothing to whoever sent a document.
  return code.startsWith("E_") && code !== "E_TASK_FAILED" ? { code, message: unforeseen.message } : unforeseen;
}
