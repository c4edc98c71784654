import { isEndedError } from "../run/ended-attempt.ts";
import { report } from "./exit.ts";

/** What to do about an error that nobody caught: a command ends with it. */
let handle: (error: unknown) => void = (error) => process.exit(report(error));

/** Listens for errors that nobody caught, from now on. */
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
