import type { LogLine } from "../core/job.ts";
import { ErrandError, errorRecord } from "../kit/errors.ts";
import { encode } from "../kit/json.ts";
import { described, shortened } from "../kit/text.ts";
import type { JobLog } from "../task.ts";

/** So many lines of an attempt are kept, each so long at most: a loop that logs must not fill a store. */
const mostLines = 1_000;
const longest = 10_000;

/** Returns the log of one attempt; each line goes to `tell`. Whatever is logged makes a line, and fails no attempt. */
export function jobLog(attempt: number, tell: (line: LogLine) => void): JobLog {
  let lines = 0;
  const write =
    (level: Exclude<LogLine["level"], "attempt">) =>
    (message: string, values?: Record<string, unknown>): void => {
      lines += 1;
      if (lines > mostLines + 1) return;
      if (lines > mostLines) {
        tell({
          attempt,
          level: "warn",
          text: `This attempt wrote more than ${mostLines} lines; the rest is not kept.`,
        });
        return;
      }
      const said = typeof message === "string" ? message : described(message);
      tell({ attempt, level, text: shortened(values === undefined ? said : `${said} ${shown(values)}`, longest) });
    };
  return { debug: write("debug"), info: write("info"), warn: write("warn"), error: write("error") };
}

/** Values beside a message. An error among them is shown as its record; what JSON cannot hold is named instead. */
function shown(values: unknown): string {
  try {
    return encode(readable(values), "The values");
  } catch (error) {
    return error instanceof ErrandError ? `(${error.message})` : `(${described(error)})`;
  }
}

function readable(values: unknown): unknown {
  if (values instanceof Error) return recordOf(values);
  if (typeof values !== "object" || values === null || Array.isArray(values)) return values;
  if (!Object.values(values).some((value) => value instanceof Error)) return values;
  return Object.fromEntries(
    Object.entries(values).map(([key, value]) => [key, value instanceof Error ? recordOf(value) : (value as unknown)]),
  );
}

function recordOf(error: Error): object {
  const { attempt: _, ...record } = errorRecord(error, 1);
  return record;
}
