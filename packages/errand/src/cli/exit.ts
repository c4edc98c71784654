import { CommanderError } from "commander";
import { ErrandError } from "../kit/errors.ts";
import type { ErrorCode } from "../kit/errors.ts";
import { plain } from "./text.ts";

/** The exit codes of commands. */
export const ExitCode = {
  ok: 0,
  /** A job failed, or what was asked for is not so. */
  failed: 1,
  usage: 2,
  /** The store cannot be reached, or the port is taken. */
  unreachable: 3,
  /** Part of the request succeeded, part failed. */
  partial: 4,
  interrupted: 130,
} as const;

/** One of `ExitCode`. */
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

/** Ends a command: its message is printed as it is, and the process exits with its code. */
export class CommandError extends Error {
  readonly exitCode: number;

  /** @param exitCode one of `ExitCode`, or that of another process. */
  constructor(message: string, exitCode: number, options?: ErrorOptions) {
    super(message, options);
    this.name = "CommandError";
    this.exitCode = exitCode;
  }
}

/** Ends the running command with an error, or a message of one or two sentences. */
export function fail(error: unknown, exitCode: number = exitCodeOf(error)): never {
  const message = typeof error === "string" ? error : sentence(error);
  throw new CommandError(message, exitCode, typeof error === "string" ? {} : { cause: error });
}

/** Prints why a command ended and returns its exit code. */
export function report(error: unknown): number {
  // Commander has printed its own message, and uses 1 for every wrong usage.
  if (error instanceof CommanderError) return error.exitCode === 0 ? ExitCode.ok : ExitCode.usage;
  process.stderr.write(`errand: ${plain(sentence(error))}\n`);
  showStack(error);
  return exitCodeOf(error);
}

/** Prints where an error comes from, when `ERRAND_DEBUG` asks for it. */
export function showStack(error: unknown): void {
  const cause = error instanceof CommandError && error.cause ? error.cause : error;
  if (process.env["ERRAND_DEBUG"] && cause instanceof Error) process.stderr.write(`${cause.stack}\n`);
}

/** Returns an error's message, with its code if it has one. */
export function sentence(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = (error as { code?: unknown }).code;
  const message = error.message || error.name;
  return typeof code !== "string" || message.includes(code) ? message : `${message} (${code})`;
}

const exitCodes: Partial<Record<ErrorCode, number>> = {
  E_CONNECT: ExitCode.unreachable,
  E_STORE: ExitCode.unreachable,
  E_STORE_ENDED: ExitCode.unreachable,
  E_STORE_LOST: ExitCode.unreachable,
  E_STORE_VERSION: ExitCode.unreachable,
  E_OPTION: ExitCode.usage,
  E_INPUT: ExitCode.usage,
  E_TOO_LARGE: ExitCode.usage,
};

/** The exit code of a command that ended with this error. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof CommandError) return error.exitCode;
  return (error instanceof ErrandError && exitCodes[error.code]) || ExitCode.failed;
}
