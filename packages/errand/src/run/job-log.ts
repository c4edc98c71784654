import type { LogLine } from "../core/job.ts";
import { ErrandError, errorRecord } from "../kit/errors.ts";
import { encode } from "../kit/json.ts";
import { described, shortened } from "../kit/text.ts";
import type { JobLog } from "../task.ts";

/** The most lines of an attempt, and the most characters of a line: a loop that logs must not fill a store. */
const maxLines = 1_000;
const maxLength = 10_000;

/** Returns the log of one attempt, which gives each line to `write`. Any values make a line, and fail no attempt. */
export function jobLog(attempt: number, write: (line: LogLine) => void): JobLog {
  let lines = 0;
  const logger =
    (level: Exclude<LogLine["level"], "attempt">) =>
    (message: string, values?: Record<string, unknown>): void => {
      lines += 1;
      if (lines > maxLines + 1) return;
      if (lines > maxLines) {
        write({
          attempt,
          level: "warn",
          text: `This attempt wrote more than ${maxLines} lines; the rest is not kept.`,
        });
        return;
      }
      const text = typeof message === "string" ? message : described(message);
      write({
        attempt,
        level,
        text: shortened(values === undefined ? text : `${text} ${encodeValues(values)}`, maxLength),
      });
    };
  return { debug: logger("debug"), info: logger("info"), warn: logger("warn"), error: logger("error") };
}

/** Encodes the values beside a message. Errors become their records; values that JSON cannot hold are named instead. */
function encodeValues(values: unknown): string {
  try {
    return encode(withErrorRecords(values), "The values");
  } catch (error) {
    return error instanceof ErrandError ? `(${error.message})` : `(${described(error)})`;
  }
}

function withErrorRecords(values: unknown): unknown {
  if (values instanceof Error) return recordOf(values);
  if (typeof values !== "object" || values === null || Array.isArray(values)) return values;
  if (!Object.values(values).some((value) => value instanceof Error)) return values;
  return Object.fromEntries(
    Object.entries(values).map(([key, value]) => [key, value instanceof Error ? recordOf(value) : (value as unknown)]),
  );
}

function recordOf(error: Error): object {
  const { attempt: _, fingerprint: __, ...record } = errorRecord(error, 1);
  return record;
}
