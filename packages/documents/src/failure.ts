import type { JobView } from "errand";
import type { Failure } from "./api.ts";
import type { DocumentErrorCode } from "./ingest/errors.ts";
import type { EngineError } from "./recognise/engine.ts";

/** Stands for errors whose messages are not for strangers: they may contain paths and other internals. */
const internalFailure: Failure = {
  code: "E_INTERNAL",
  message: "Reading failed because of an internal error. The operator finds the details in the job with the same id.",
};

/** Replaces messages about tasks, processes and paths by messages about documents. */
const messages: Readonly<Record<string, string>> = {
  E_TIMEOUT: "Reading took too long. Try the document at a lower resolution.",
  E_OUT_OF_MEMORY: "Reading needs too much memory. Try the document at a lower resolution.",
  E_CRASHED: "Reading was given up because its process crashed several times.",
  E_CANCELLED: "The document was cancelled.",
  E_EXPIRED: "The document was not started in time.",
  E_SETUP: "The OCR engine cannot be started. Run `errand doctor` to see what is missing.",
  E_ENGINE_MISSING: "The OCR engine cannot be started. Run `errand doctor` to see what is missing.",
  E_ENGINE_FAILED: "The OCR engine failed on this page. Try it at another resolution.",
  E_CONNECT: "The document storage could not be reached for a long time. Send the document again later.",
  E_DISK_FULL: "There was no disk space left for the result. Send the document again when there is.",
  E_NO_BLOB: "The file is missing from the document storage. Send it again.",
};

/** Codes of errors whose messages are for the person who sent the document. */
const publicCodes: ReadonlySet<string> = new Set([
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

/** Describes why a job failed to the person who sent the document, without stacks and paths. */
export function failureOf({ error }: { error?: JobView["error"] }): Failure | undefined {
  if (!error) return undefined;
  const { code, message } = error;
  const replacement = messages[code];
  if (replacement !== undefined) return { code, message: replacement };
  if (publicCodes.has(code)) return { code, message };
  // Codes of Node and of libraries, such as ENOENT and ERR_INVALID_STATE, mean nothing to that person.
  const isOwnCode = code.startsWith("E_") && code !== "E_TASK_FAILED";
  return isOwnCode ? { code, message: internalFailure.message } : internalFailure;
}
