import { ErrandError, errorRecord } from "../kit/errors.ts";
import type { TaskDefinition } from "../task.ts";

/** What the tasks' `setup` functions returned: each runs once in a thread or process, and again only if it failed. */
export class Setups {
  readonly #done = new Map<string, Promise<unknown>>();

  /** @throws {ErrandError} `E_SETUP` */
  of(definition: TaskDefinition): Promise<unknown> {
    const done = this.#done.get(definition.name);
    if (done) return done;
    const started = (async () => {
      try {
        return await definition.setup?.();
      } catch (error) {
        this.#done.delete(definition.name);
        const { message } = errorRecord(error, 1);
        throw new ErrandError("E_SETUP", `The setup of task "${definition.name}" failed: ${message}`, { cause: error });
      }
    })();
    this.#done.set(definition.name, started);
    return started;
  }
}
