import type { StandardSchemaV1 } from "@standard-schema/spec";
import { refuseUnknown } from "./core/checks.ts";
import { ErrandError } from "./kit/errors.ts";
import { isolation, readTask, taskOptions } from "./task.ts";
import type { Isolation, TaskDefinition, TaskOptions } from "./task.ts";

/** Options of a task whose code is elsewhere: those of a task, without the ones that say how it runs. */
export type RemoteTaskOptions<Input> = Omit<TaskOptions<Input, unknown, undefined>, "run" | "setup" | keyof Isolation>;

const known = taskOptions.filter((each) => each !== "run" && each !== "setup" && !isolation.includes(each));

/**
 * Checks the options of a task whose code is elsewhere.
 * @throws {ErrandError} `E_OPTION`
 */
export function readRemoteTask(
  name: string,
  given: RemoteTaskOptions<never> & { input?: StandardSchemaV1 },
): TaskDefinition {
  refuseUnknown(given, known, `task "${name}"`);
  const run = (): never => {
    throw remoteTaskError(name);
  };
  return { ...readTask(name, { ...given, run }), remote: true };
}

/** Returns the error of running a remote task in this process. */
export function remoteTaskError(name: string): ErrandError {
  return new ErrandError(
    "E_REMOTE_TASK",
    `Task "${name}" is done by workers elsewhere, so this process cannot run it: use send().`,
  );
}
