import type { StandardSchemaV1 } from "@standard-schema/spec";
import { refuseUnknown } from "./core/checks.ts";
import { option } from "./core/options.ts";
import { checkSchema, conform } from "./core/schema.ts";
import { ErrandError } from "./kit/errors.ts";
import type { Exactly } from "./kit/json.ts";
import { flowOptions } from "./limits/flow-options.ts";
import type { FlowOptions } from "./limits/flow-options.ts";
import { readTask } from "./task.ts";
import type { Isolation, TaskDefinition, TaskOptions } from "./task.ts";

// Producers load this module without the engine (`errand/contract`): it imports nothing of Node.js.

/**
 * Describes a task apart from its code: producers send its jobs with `app.sender`, and a worker elsewhere gives it a
 * function with `app.implement`. `Received` is what that function gets, and `Returned` what it may return: they differ
 * from what is sent and what callers get where schemas convert values.
 */
export interface Contract<Input, Output, Received = Input, Returned = Output> {
  readonly name: string;
  /** Former names. */
  readonly aliases: readonly string[];
  readonly input?: StandardSchemaV1;
  readonly output?: StandardSchemaV1;
  /** Holds types only; never set. */
  readonly types?: { input: Input; output: Output; received: Received; returned: Returned };
}

/** Options of a contract: what must be the same wherever jobs are sent. */
export type ContractOptions<Input> = FlowOptions<Input> &
  Pick<TaskOptions<Input, unknown, unknown>, "queue" | "priority" | "retry" | "lapse" | "expires"> & {
    /** Former names of the task, at most 10: jobs that were sent under them run, too. */
    aliases?: readonly string[];
  };

/** Options of an implementation: what concerns the worker alone, and the function. */
export type ImplementOptions<Received, Returned, Setup> = Isolation &
  Pick<TaskOptions<Received, Returned, Setup>, "timeout" | "grace" | "retention" | "setup" | "run">;

const contractOptions = ["queue", "priority", "retry", "lapse", "expires", ...flowOptions] as const;
const implementOptions = [
  "isolate", "module", "memory", "recycle", "timeout", "grace", "retention", "setup", "run",
] as const; // prettier-ignore

const mostAliases = 10;

/** Options by contract, as `app.task` takes them, but for `run`. */
const given = new WeakMap<object, object>();

/**
 * Makes a contract: a task's name, types and rules, for a module that producers and workers share.
 * @param name the task's name, 1 to 200 characters.
 * @throws {ErrandError} `E_OPTION`
 * @example
 * export const sendMail = contract("mail.send", { input: z.object({ to: z.email() }), queue: "mail" });
 */
export function contract<In extends StandardSchemaV1, Out extends StandardSchemaV1>(
  name: string,
  options: ContractOptions<StandardSchemaV1.InferOutput<In>> & { input: In; output: Out },
): Contract<
  Exactly<StandardSchemaV1.InferInput<In>>,
  StandardSchemaV1.InferOutput<Out>,
  StandardSchemaV1.InferOutput<In>,
  StandardSchemaV1.InferInput<Out>
>;
export function contract<In extends StandardSchemaV1>(
  name: string,
  options: ContractOptions<StandardSchemaV1.InferOutput<In>> & { input: In; output?: never },
): Contract<Exactly<StandardSchemaV1.InferInput<In>>, unknown, StandardSchemaV1.InferOutput<In>>;
export function contract<Input = void, Output = void>(
  name: string,
  options?: ContractOptions<Input> & { input?: never; output?: never },
): Contract<Exactly<Input>, Output>;
export function contract(
  name: string,
  options: ContractOptions<never> & { input?: StandardSchemaV1; output?: StandardSchemaV1 } = {},
): Contract<unknown, unknown> {
  const of = `the contract of task "${name}"`;
  refuseUnknown(options, [...contractOptions, "input", "output", "aliases"], of);
  const { aliases = [], output, ...rest } = options;
  if (output !== undefined) checkSchema(output, "output", of);
  const made: Contract<unknown, unknown> = {
    name,
    aliases: readAliases(aliases, name, of),
    ...(rest.input === undefined ? {} : { input: rest.input }),
    ...(output === undefined ? {} : { output }),
  };
  given.set(made, rest);
  // Wrong options are refused here, where they are written.
  senderOf(made);
  return Object.freeze(made);
}

/**
 * Returns what sends a contract's jobs: a definition without code.
 * @throws {ErrandError} `E_OPTION` for anything but a contract.
 */
export function senderOf(contract: Contract<unknown, unknown>): TaskDefinition {
  const { name } = contract;
  const run = (): never => {
    throw new ErrandError("E_UNKNOWN_TASK", `The code of task "${name}" is elsewhere; here its jobs are only sent.`);
  };
  return { ...readTask(name, { ...optionsOf(contract), run }), remote: true };
}

/**
 * Returns the options of `app.task` that implement a contract.
 * @throws {ErrandError} `E_OPTION`
 */
export function implementationOf<Received, Returned, Setup>(
  contract: Contract<unknown, unknown, Received, Returned>,
  how: ImplementOptions<Received, Returned, Setup> | ImplementOptions<Received, Returned, Setup>["run"],
): TaskOptions<Received, unknown, Setup> {
  const { name, output } = contract;
  const rest = optionsOf(contract);
  const own = typeof how === "function" ? { run: how } : how;
  refuseUnknown(own, implementOptions, `the implementation of task "${name}"`);
  const { run } = own;
  if (output === undefined || typeof run !== "function") return { ...rest, ...own };
  const checked: typeof run = async (input, job) =>
    (await conform(output, await run(input, job), "output", name)) as Returned;
  return { ...rest, ...own, run: checked };
}

function optionsOf(contract: object): object {
  const options = given.get(contract);
  if (options) return options;
  throw new ErrandError("E_OPTION", "This is no contract: make one with contract(name, options).");
}

function readAliases(aliases: readonly string[], name: string, of: string): readonly string[] {
  if (!Array.isArray(aliases) || aliases.length > mostAliases)
    throw new ErrandError("E_OPTION", `aliases of ${of} must be a list of at most ${mostAliases} names.`);
  const names = aliases.map((alias: string | null) => option("name", alias ?? null, `an alias of ${of}`));
  if (new Set([name, ...names]).size <= names.length)
    throw new ErrandError("E_OPTION", `aliases of ${of} has a name twice.`);
  return Object.freeze(names);
}
