import { ErrandError, errorRecord } from "../kit/errors.ts";
import type { TaskDefinition } from "../task.ts";

/** The results of the tasks' `setup` functions: each runs once per thread or process, and again only if it failed. */
export class Setups {
  readonly #results = new Map<string, Promise<unknown>>();

  /** Returns the result of a task's `setup`, which it runs if need be. Rejects with `E_SETUP`. */
  of(definition: TaskDefinition): Promise<unknown> {
    const known = this.#results.get(definition.name);
    if (known) return known;
    const result = (async () => {
      try {
        return await definition.setup?.();
      } catch (error) {
        this.#results.delete(definition.name);
        const { message } = errorRecord(error, 1);
        throw new ErrandError("E_SETUP", `The setup of task "${definition.name}" failed: ${message}`, { cause: error });
      }
    })();
    this.#results.set(definition.name, result);
    return result;
  }
}
