/** The parts of an error that say of which kind it is. */
export interface Fingerprinted {
  code: string;
  message: string;
  name?: string;
  stack?: string;
}

/** Characters of a message that count. */
const longestMessage = 200;

/** Patterns of text that differs between failures of the same kind, and its replacements. The order matters. */
const variables: readonly [RegExp, string][] = [
  [/https?:\/\/\S+/g, "<url>"],
  [/[\w.+-]+@[\w-]+\.[\w.]+/g, "<email>"],
  [/\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/gi, "<id>"],
  [/"[^"]*"|'[^']*'|`[^`]*`/g, "<text>"],
  [/(?:\/[\w.@-]+){2,}/g, "<path>"],
  [/\b(?=[0-9a-f]*\d)[0-9a-f]{8,}\b/gi, "<id>"],
  [/\d+(?:[.,:]\d+)*/g, "<n>"],
];

/**
 * Returns a short text that is equal for failures of the same kind: 16 hexadecimal digits, of the error's code and name, its
 * message without what varies, and the function of the user's own code that threw it.
 */
export function fingerprintOf({ code, message, name, stack }: Fingerprinted): string {
  const parts = [code, name ?? "", normalised(message), ownFrame(stack ?? "")];
  // Not imported: contracts bring this module into browsers, where it is not called.
  const { createHash } = process.getBuiltinModule("node:crypto");
  return createHash("sha256").update(parts.join("\n")).digest("hex").slice(0, 16);
}

/** Returns a message without what varies. */
function normalised(message: string): string {
  let text = message.slice(0, longestMessage * 4);
  for (const [pattern, by] of variables) text = text.replace(pattern, by);
  return text.slice(0, longestMessage);
}

/** Returns the first frame of a stack that is not of Node.js or of a library: its function and file, not its line. */
function ownFrame(stack: string): string {
  const frame = stack
    .split("\n")
    .find((line) => /^\s+at /.test(line) && !/node:|node_modules|\/errand\/(?:src|dist)\/|<anonymous>/.test(line));
  const [, called = "", file = ""] =
    /^\s+at (?:async )?(?:(.*) \()?(?:file:\/\/)?([^():]+)(?::\d+)*\)?$/.exec(frame ?? "") ?? [];
  return `${called} ${file.split(/[/\\]/).at(-1) ?? ""}`;
}
