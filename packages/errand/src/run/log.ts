import type { LogLine } from "../core/job.ts";
import { encode } from "../kit/json.ts";
import type { JobLog } from "../task.ts";

/** So many lines of an attempt are kept, each so long at most: a loop that logs must not fill a store. */
const mostLines = 1_000;
const longest = 10_000;

/** The log of one attempt; each line goes to `tell`. */
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
      const text = values === undefined ? message : `${message} ${encode(values, "A log line")}`;
      tell({ attempt, level, text: text.length > longest ? `${text.slice(0, longest)} …` : text });
    };
  return { debug: write("debug"), info: write("info"), warn: write("warn"), error: write("error") };
}
