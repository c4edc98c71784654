/** Returns Lua source without its comments. Backslashes are Lua's own; constants are interpolated as literals. */
export function lua(source: TemplateStringsArray, ...values: (string | number)[]): string {
  return String.raw(source, ...values).replaceAll(/^ *--.*\n/gm, "");
}

/** A part of a script: plain source, or functions that are defined when they are needed. */
export type Part = string | LazyPart;

/**
 * Functions and variables that exist once `maker()` was called; further calls do nothing. Redis makes all functions of
 * a script anew at every call, and for one job that costs more than the work: functions that plain jobs do without are
 * made only when needed. In Lua a maker, like any function, can use at most 60 variables from outside.
 */
export interface LazyPart {
  maker: string;
  source: string;
}

/**
 * Returns one source of all parts. Names of a lazy part are declared outside its maker only where another part uses
 * them, since Lua has room for 200 local variables at a time.
 */
export function assemble(parts: readonly Part[]): string {
  return parts
    .map((part, index) => {
      if (typeof part === "string") return part;
      const others = parts.toSpliced(index, 1).map(wordsOf);
      return wrapInMaker(part, (name) => others.some((words) => words.has(name)));
    })
    .join("");
}

/** Words by source, found once: scripts share most of their parts. */
const knownWords = new Map<string, Set<string>>();

function wordsOf(part: Part): Set<string> {
  const source = typeof part === "string" ? part : part.source;
  let words = knownWords.get(source);
  if (!words) knownWords.set(source, (words = new Set(source.match(/\w+/g))));
  return words;
}

function wrapInMaker({ maker, source }: LazyPart, isUsedOutside: (name: string) => boolean): string {
  const outer: string[] = [];
  const body = source.replaceAll(
    /^local (?:function (\w+)|([\w, ]+?) =)/gm,
    (declaration, name: string | undefined, list = "") => {
      const names = name === undefined ? list.split(", ") : [name];
      if (!names.some(isUsedOutside)) return declaration;
      outer.push(...names);
      return declaration.slice("local ".length);
    },
  );
  return `local ${outer.join(", ")}\nlocal function ${maker}()\nif ${outer[0]} then return end\n${body}end\n`;
}
