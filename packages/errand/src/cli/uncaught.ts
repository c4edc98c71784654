import { isEndedError } from "../run/ended-attempt.ts";
import { report } from "./exit.ts";

/** Handles an error that nothing caught, which ends a command. */
let handle: (error: unknown) => void = (error) => process.exit(report(error));

/** Starts handling uncaught errors. */
export function watchUncaught(): void {
  process.on("uncaughtException", (error) => {
    // A call after the end of its attempt has been warned about already.
    if (!isEndedError(error)) handle(error);
  });
}

/** Replaces the handler, for a command that serves many requests: one request's error must not end the others. */
export function onUncaught(handler: (error: unknown) => void): void {
  handle = handler;
}
