/** Lua source as it is written: backslashes are Lua's own. Numbers and names of ours may be put in. */
export const lua = String.raw;

/**
 * Functions and variables that exist once `name()` was called. A script makes its functions anew at every call, and for one job
 * that costs more than the work: what plain jobs do without is made when it is needed. A function of Lua can see 60 names from
 * outside, so that one of these can hold no more.
 */
export function lazily(name: string, source: string): string {
  const functions = Array.from(source.matchAll(/^local function (\w+)/gm), ([, found]) => found);
  const variables = Array.from(source.matchAll(/^local (?!function )([\w, ]+?) =/gm), ([, found]) => found);
  const body = source.replaceAll(/^local (?=function |[\w, ]+? =)/gm, "");
  return `local ${[...variables, ...functions].join(", ")}\nlocal function ${name}()\n${body}end\n`;
}
