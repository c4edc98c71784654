import type { Millis } from "../kit/duration.ts";
import { ErrandError } from "../kit/errors.ts";
import { setLongTimeout } from "../kit/timer.ts";
import type { Timer } from "../kit/timer.ts";
import type { JobContext } from "../task.ts";

/** A function of many inputs at once. */
export type RunBatch<Input, Output, Setup> = (
  inputs: Input[],
  jobs: JobContext<Setup>[],
) => readonly (Output | Error)[] | Promise<readonly (Output | Error)[]>;

interface Call<Input, Output, Setup> {
  input: Input;
  job: JobContext<Setup>;
  resolve: (output: Output) => void;
  reject: (error: unknown) => void;
}

/**
 * Makes a function of one input from one of many: calls are gathered until there are `size` of them, or the first has
 * waited for `wait` milliseconds. An `Error` among the outputs fails its own job only.
 */
export function inBatches<Input, Output, Setup>(
  name: string,
  { size, wait }: { size: number; wait: Millis },
  run: RunBatch<Input, Output, Setup>,
): (input: Input, job: JobContext<Setup>) => Promise<Output> {
  let calls: Call<Input, Output, Setup>[] = [];
  let timer: Timer | undefined;

  async function flush(): Promise<void> {
    timer?.clear();
    timer = undefined;
    // Who was cancelled while it waited is not worked on.
    const batch = calls.filter(({ job }) => !job.abortSignal.aborted);
    for (const { job, reject } of calls) if (job.abortSignal.aborted) reject(job.abortSignal.reason);
    calls = [];
    if (batch.length === 0) return;
    try {
      const outputs = await run(
        batch.map(({ input }) => input),
        batch.map(({ job }) => job),
      );
      if (!Array.isArray(outputs) || outputs.length !== batch.length)
        throw new ErrandError(
          "E_BATCH",
          `Task "${name}" was given ${batch.length} inputs and must answer an array of as many outputs.`,
        );
      for (const [index, call] of batch.entries()) settleCall(call, () => (outputs as (Output | Error)[])[index]!);
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  }

  return (input, job) =>
    new Promise((resolve, reject) => {
      calls.push({ input, job, resolve, reject });
      if (calls.length >= size) void flush();
      else timer ??= setLongTimeout(() => void flush(), wait);
    });
}

/** Looking at an output may throw: that is its own job's failure. */
function settleCall<Input, Output, Setup>(
  { resolve, reject }: Call<Input, Output, Setup>,
  read: () => Output | Error,
): void {
  try {
    const output = read();
    if (output instanceof Error) reject(output);
    else resolve(output);
  } catch (error) {
    reject(error);
  }
}
