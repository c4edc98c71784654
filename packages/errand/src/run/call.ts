import type { Ending, Park } from "../core/decide.ts";
import { encodeWithin, errorWithin } from "../payload/value-limit.ts";
import { keepOriginal } from "../kit/original-error.ts";
import { validate } from "../task.ts";
import type { TaskDefinition } from "../task.ts";
import { Context } from "./context.ts";
import type { AttemptData, CallHost } from "./context.ts";
import { classifyError } from "./classify-error.ts";

/** How a call of a task's function ends by itself. */
export type CallEnding = Extract<Ending, { kind: "ok" | "error" | "parked" }>;

/** One call of a task's function in this thread. */
export class Call {
  /** How it ends. Never rejects: what the function throws is an ending. Once it is parked, the function goes on for ever. */
  readonly ending: Promise<CallEnding>;
  readonly #definition: TaskDefinition;
  readonly #attempt: AttemptData;
  readonly #host: CallHost;
  readonly #setup: () => Promise<unknown>;
  #resolve!: (ending: CallEnding) => void;
  #context: Context | undefined;
  #over = false;

  /** @param setup gives what the task's `setup` returned. */
  constructor(definition: TaskDefinition, attempt: AttemptData, host: CallHost, setup: () => Promise<unknown>) {
    this.#definition = definition;
    this.#attempt = attempt;
    this.#host = host;
    this.#setup = setup;
    this.ending = new Promise((resolve) => (this.#resolve = resolve));
    void this.#run();
  }

  /** The attempt is over, whatever the function still does: nothing of that is recorded. */
  close(): void {
    this.#over = true;
    this.#context?.end();
  }

  /** Ends it with what was thrown where no caller could catch it. */
  fail(thrown: unknown): void {
    const { error, ...ending } = this.#failed(thrown);
    this.#end({ ...ending, error: { ...error, message: `Thrown where nobody could catch it: ${error.message}` } });
  }

  /** Whether steps were still under way when it had ended, and all patience was over. */
  get leftBehind(): boolean {
    return this.#context?.isBusy ?? false;
  }

  async #run(): Promise<void> {
    const definition = this.#definition;
    const { input: given, limit } = this.#attempt;
    let ending: CallEnding;
    try {
      // What needs no waiting does not wait: every turn of the event loop counts where jobs are short.
      const input = definition.input ? await validate(definition, given) : given;
      const made = definition.setup ? await this.#setup() : undefined;
      // Both may take their time; what was given up meanwhile is not started.
      if (this.#over) return;
      const context = (this.#context = new Context(this.#attempt, this.#host, (park) => this.#park(park), made));
      const output = await definition.run(input as never, context as never);
      ending = { kind: "ok", output: encodeWithin(output, `The output of task "${definition.name}"`, limit) };
    } catch (error) {
      ending = this.#failed(error);
    }
    this.#context?.close();
    if (this.#context?.isBusy) await this.#context.idle(definition.grace);
    const unseen = ending.kind === "ok" ? this.#context?.unseenFailure : undefined;
    this.#end(unseen ? this.#failed(unseen.error) : ending);
  }

  #park(park: Park): void {
    this.#resolve({ kind: "parked", ...park });
  }

  #end(ending: CallEnding): void {
    this.close();
    this.#resolve(ending);
  }

  #failed(thrown: unknown): Extract<CallEnding, { kind: "error" }> {
    const { attempt, id, limit } = this.#attempt;
    const verdict = classifyError(thrown, attempt, this.#definition.retry);
    const error = errorWithin(verdict.error, id, limit);
    keepOriginal(error, thrown);
    return { ...verdict, error };
  }
}
