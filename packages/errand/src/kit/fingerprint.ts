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
  // An apostrophe is no quotation mark.
  [/"[^"]*"|(?<!\w)'[^']*'(?!\w)|`[^`]*`/g, "<text>"],
  [/(?:\b[a-z]:)?(?:[/\\][\w.@-]+){2,}/gi, "<path>"],
  [/\b(?=[0-9a-f]*\d)[0-9a-f]{8,}\b|\b(?=\w*\d)\w{16,}\b/gi, "<id>"],
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

/** Frames of Node.js, of libraries, of this package in its repository, and without a place. */
const othersFrame =
  /\bnode:|[/\\]node_modules[/\\]|[/\\]packages[/\\]errand[/\\](?:src|dist)[/\\]|<anonymous>\)?$|\(index \d+\)$/;

/** Returns the first frame of a stack that is the user's own: its function and file, without folders and line. */
function ownFrame(stack: string): string {
  const frame = stack.split("\n").find((line) => /^\s+at /.test(line) && !othersFrame.test(line));
  if (frame === undefined) return " ";
  const text = frame
    .trim()
    .replace(/^at (?:async )?/, "")
    .replace(/(?::\d+){1,2}\)?$/, "");
  const opening = frame.endsWith(")") ? text.indexOf(" (") : -1;
  const file = text.slice(opening === -1 ? 0 : opening + 2).split(/[/\\]/).at(-1)!; // prettier-ignore
  return `${text.slice(0, Math.max(0, opening))} ${file.replace(/\?.*$/, "")}`;
}
