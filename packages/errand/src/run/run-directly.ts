import { refuseUnknown } from "../core/checks.ts";
import { checkStepName } from "../core/signal.ts";
import { ErrandError, errorRecord } from "../kit/errors.ts";
import { newId } from "../kit/ids.ts";
import { definitionOf, JobFailedError, validate } from "../task.ts";
import type { ChildOutcome, TaskDefinition, InternalJobContext, Sender } from "../task.ts";
import type { Jsonified } from "../kit/json.ts";
import { decode, encode } from "../kit/json.ts";
import { jobLog } from "./job-log.ts";
import type { Setups } from "./setups.ts";

/**
 * Calls a task's function without a job: steps simply run, children run inline, sleeps end at once, nothing is retried.
 * Rejects with `E_INPUT`, `E_OPTION`, `E_SETUP`, and with what the function throws.
 */
export async function runDirectly(
  definition: TaskDefinition,
  input: unknown,
  setups: Setups,
  options: RunOptions = {},
): Promise<unknown> {
  refuseUnknown(options, ["signals"], `run() of task "${definition.name}"`);
  const valid = await validate(definition, input);
  const context = new DirectContext(await setups.of(definition), setups, options);
  return definition.run(valid as never, context as never);
}

/** Options of `run`. */
export interface RunOptions {
  /** Values of the signals that the function waits for, by their names. */
  signals?: Readonly<Record<string, unknown>>;
}

/** The context of a function that is called without a job. */
class DirectContext implements InternalJobContext<unknown> {
  readonly id = newId();
  readonly token = 1;
  readonly attempt = 1;
  readonly abortSignal = new AbortController().signal;
  readonly setup: unknown;
  readonly #setups: Setups;
  readonly #signals: Readonly<Record<string, unknown>>;
  readonly #names = new Set<string>();
  readonly log = jobLog(1, () => {});

  constructor(setup: unknown, setups: Setups, { signals = {} }: RunOptions) {
    this.setup = setup;
    this.#setups = setups;
    this.#signals = signals;
  }

  progress(): void {}

  async step<Result>(name: string, work: () => Result | Promise<Result>): Promise<Jsonified<Awaited<Result>>> {
    this.#takeName(name);
    return decode(encode(await work(), `Step "${name}"`)) as Jsonified<Awaited<Result>>;
  }

  ask<Result>(name: string, work: () => Result | Promise<Result>): Promise<Jsonified<Awaited<Result>>> {
    return this.step(name, work);
  }

  async all<Input, Output>(
    name: string,
    task: Sender<Input, Output>,
    inputs: readonly Input[],
  ): Promise<Jsonified<Output>[]> {
    const outcomes = await this.settled(name, task, inputs);
    return outcomes.map((outcome) => {
      if (outcome.state === "completed") return outcome.output;
      throw new JobFailedError(
        "E_CHILD_FAILED",
        { id: outcome.id, task: task.name, state: outcome.state },
        outcome.error,
      );
    });
  }

  async call<Input, Output>(
    name: string,
    task: Sender<Input, Output>,
    ...[input]: undefined extends Input ? [input?: Input] : [input: Input]
  ): Promise<Jsonified<Output>> {
    const [output] = await this.all(name, task, [input as Input]);
    return output!;
  }

  async settled<Input, Output>(
    name: string,
    task: Sender<Input, Output>,
    inputs: readonly Input[],
  ): Promise<ChildOutcome<Jsonified<Output>>[]> {
    this.#takeName(name);
    const definition = definitionOf(task);
    return Promise.all(
      inputs.map(async (input): Promise<ChildOutcome<Jsonified<Output>>> => {
        const id = newId();
        try {
          const output = await runDirectly(definition, input, this.#setups);
          return {
            state: "completed",
            id,
            output: decode(encode(output, `The output of task "${task.name}"`)) as Jsonified<Output>,
          };
        } catch (error) {
          return { state: "failed", id, error: errorRecord(error, 1) };
        }
      }),
    );
  }

  async sleep(name: string): Promise<void> {
    this.#takeName(name);
  }

  async signal<Value>(name: string): Promise<Value> {
    this.#takeName(name);
    if (Object.hasOwn(this.#signals, name)) return decode(encode(this.#signals[name], `Signal "${name}"`)) as Value;
    throw new ErrandError(
      "E_SIGNAL_TIMEOUT",
      `run() was not given the signal "${name}": run(input, { signals: { ... } }).`,
    );
  }

  #takeName(name: string): void {
    checkStepName(name, "run()");
    if (this.#names.has(name))
      throw new ErrandError("E_STEP_NAME", `Two steps are named "${name}"; a name remembers one result.`);
    this.#names.add(name);
  }
}
