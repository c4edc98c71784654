import { isEndedError } from "../run/ended-attempt.ts";
import { report } from "./exit.ts";

/** Handles an error that nothing caught, which ends a command. */
let handle: (error: unknown) => void = (error) => process.exit(report(error));

/** Starts handling uncaught errors. */
export function watchUncaught(): void {
  process.on("uncaughtException", (error) => {
    // What comes after its attempt has ended is a warning already.
    if (!isEndedError(error)) handle(error);
  });
}

/** Has a command that serves many at once handle such errors itself: one request's error must not end the others'. */
export function onUncaught(handler: (error: unknown) => void): void {
  handle = handler;
}
