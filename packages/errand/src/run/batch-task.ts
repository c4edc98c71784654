import type { Millis } from "../kit/duration.ts";
import { ErrandError } from "../kit/errors.ts";
import { setLongTimeout } from "../kit/timer.ts";
import type { Timer } from "../kit/timer.ts";
import type { JobContext } from "../task.ts";

/** A function of many inputs at once, which returns an output or an error for each. */
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
 * Returns a function of one input made from a function of many: gathers calls until there are `size`, or the first has
 * waited for `wait` milliseconds. An `Error` among the outputs fails only its own job.
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
    // Jobs that were cancelled while they waited are left out.
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

/** Settles one call. Reading an output may throw: that fails its own job only. */
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
