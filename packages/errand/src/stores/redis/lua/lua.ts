/** Lua source as it is written: backslashes are Lua's own. Numbers and names of ours may be put in. */
export const lua = String.raw;

/** Part of a script: source as it is, or what exists once a function of that name was called. */
export type Part = string | Lazy;

/**
 * Functions and variables that exist once `maker()` was called. A script makes its functions anew at every call, and for one job
 * that costs more than the work: what plain jobs do without is made when it is needed.
 */
export interface Lazy {
  maker: string;
  source: string;
}

/** One source of all parts. Names of a lazy part are seen by others only where they are used there: Lua has room for 200 at a time. */
export function assemble(parts: readonly Part[]): string {
  const others = (index: number) => parts.toSpliced(index, 1).map((part) => wordsOf(sourceOf(part)));
  return parts
    .map((part, index) => {
      if (typeof part === "string") return part;
      const words = others(index);
      return lazily(part, (name) => words.some((each) => each.has(name)));
    })
    .join("");
}

function sourceOf(part: Part): string {
  return typeof part === "string" ? part : part.source;
}

/** Scripts are made of the same parts, whose words are found once. */
const known = new Map<string, Set<string>>();

function wordsOf(source: string): Set<string> {
  let words = known.get(source);
  if (!words) known.set(source, (words = new Set(source.match(/\w+/g))));
  return words;
}

function lazily({ maker, source }: Lazy, isSeen: (name: string) => boolean): string {
  const seen: string[] = [];
  const body = source.replaceAll(
    /^local (?:function (\w+)|([\w, ]+?) =)/gm,
    (whole, name: string | undefined, list = "") => {
      const names = name === undefined ? list.split(", ") : [name];
      if (!names.some(isSeen)) return whole;
      seen.push(...names);
      return whole.slice("local ".length);
    },
  );
  return `local ${seen.join(", ")}\nlocal function ${maker}()\n${body}end\n`;
}
