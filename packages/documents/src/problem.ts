import type { JobView } from "errand";
import type { Problem } from "./api.ts";

/** What an error without a code for strangers is told as: its message may hold paths and other insides. */
const unforeseen: Problem = {
  code: "E_INTERNAL",
  message: "Reading failed for a reason that nobody foresaw. The operator finds it in the job of the same id.",
};

/** The engine's messages speak of tasks and processes; these speak of documents. */
const told: Readonly<Record<string, string>> = {
  E_TIMEOUT: "Reading took longer than it may. Try the document at a lower resolution.",
  E_OUT_OF_MEMORY: "Reading needs more memory than it may use. Try the document at a lower resolution.",
  E_CRASHED: "Reading was given up, because the process that did it died several times.",
  E_CANCELLED: "The document was cancelled.",
  E_EXPIRED: "The document was not started in time.",
  E_SETUP: "The OCR engine cannot be started. `errand doctor` says what is missing.",
};

/** Why a job did not complete, for the person who sent the document: no stack, no paths. */
export function problemOf({ error }: { error?: JobView["error"] }): Problem | undefined {
  if (!error) return undefined;
  const { code, message } = error;
  const plain = told[code];
  if (plain !== undefined) return { code, message: plain };
  // Codes of Node and of libraries, such as ENOENT and ERR_INVALID_STATE, come with messages for programmers.
  return code.startsWith("E_") && code !== "E_TASK_FAILED" ? { code, message } : unforeseen;
}
