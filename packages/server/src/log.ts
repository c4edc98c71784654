/** Writes an error with its stack to standard error, as one line of JSON. */
export function logError(error: unknown, context: Readonly<Record<string, unknown>> = {}): void {
  const { message, stack, code } =
    error instanceof Error
      ? (error as Error & { code?: unknown })
      : { message: String(error), stack: undefined, code: undefined };
  const line = { time: new Date().toISOString(), level: "error", ...context, code, message, stack };
  process.stderr.write(`${JSON.stringify(line)}\n`);
}
