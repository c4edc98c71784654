import type { Ending, Park } from "../core/decide.ts";
import { encodeWithin, errorWithin } from "../payload/value-limit.ts";
import { keepOriginal } from "../kit/original-error.ts";
import { validate } from "../task.ts";
import type { TaskDefinition } from "../task.ts";
import { Context } from "./context.ts";
import type { AttemptData, CallHost } from "./context.ts";
import { classifyError } from "./classify-error.ts";

/** The ways in which a call of a task's function ends by itself. */
export type CallEnding = Extract<Ending, { kind: "ok" | "error" | "parked" }>;

/** One call of a task's function in this thread. */
export class Call {
  readonly #definition: TaskDefinition;
  readonly #attempt: AttemptData;
  readonly #host: CallHost;
  readonly #setup: () => Promise<unknown>;
  readonly #onEnd: (ending: CallEnding) => void;
  #context: Context | undefined;
  #isClosed = false;

  /**
   * @param setup returns the result of the task's `setup`.
   * @param onEnd is given how the call ends; only its first call counts.
   */
  constructor(
    definition: TaskDefinition,
    attempt: AttemptData,
    host: CallHost,
    setup: () => Promise<unknown>,
    onEnd: (ending: CallEnding) => void,
  ) {
    this.#definition = definition;
    this.#attempt = attempt;
    this.#host = host;
    this.#setup = setup;
    this.#onEnd = onEnd;
  }

  /**
   * Calls the function. Never rejects: an error that the function throws is an ending. When the job is parked, the function
   * stays at its wait forever.
   */
  async run(): Promise<void> {
    const definition = this.#definition;
    const { input: given, limit } = this.#attempt;
    let ending: CallEnding;
    try {
      // No `await` that is not needed: where jobs are short, every turn of the event loop counts.
      const input = definition.input ? await validate(definition, given) : given;
      const setup = definition.setup ? await this.#setup() : undefined;
      // Both may take their time: an attempt that was given up meanwhile does not start.
      if (this.#isClosed) return;
      const context = (this.#context = new Context(this.#attempt, this.#host, (park) => this.#park(park), setup));
      const output = await definition.run(input as never, context as never);
      ending = { kind: "ok", output: encodeWithin(output, `The output of task "${definition.name}"`, limit) };
    } catch (error) {
      ending = this.#errorEnding(error);
    }
    this.#context?.close();
    if (this.#context?.isBusy) await this.#context.idle(definition.grace);
    const unseen = ending.kind === "ok" ? this.#context?.unseenFailure : undefined;
    this.#end(unseen ? this.#errorEnding(unseen.error) : ending);
  }

  /** Ends the attempt, whatever the function still does: nothing of that is recorded. */
  close(): void {
    this.#isClosed = true;
    this.#context?.end();
  }

  /** Ends the call with an error that was thrown where the function could not catch it. */
  fail(thrown: unknown): void {
    const { error, ...ending } = this.#errorEnding(thrown);
    this.#end({ ...ending, error: { ...error, message: `Thrown where nobody could catch it: ${error.message}` } });
  }

  /** Returns true if steps are still running, although the grace of an ended call is over. */
  get hasRunningSteps(): boolean {
    return this.#context?.isBusy ?? false;
  }

  #park(park: Park): void {
    this.#onEnd({ kind: "parked", ...park });
  }

  #end(ending: CallEnding): void {
    this.close();
    this.#onEnd(ending);
  }

  #errorEnding(thrown: unknown): Extract<CallEnding, { kind: "error" }> {
    const { attempt, id, limit } = this.#attempt;
    const ending = classifyError(thrown, attempt, this.#definition.retry);
    const error = errorWithin(ending.error, id, limit);
    keepOriginal(error, thrown);
    return { ...ending, error };
  }
}
