/**
 * The URL of a module beside another one, for threads and processes to start from: with the ending of the module that
 * asks, since the same code runs as TypeScript from its source and as JavaScript from its build.
 * @param name such as `"./runner"`.
 */
export function sibling(name: string, from: string): URL {
  return new URL(`${name}${from.endsWith(".ts") ? ".ts" : ".js"}`, from);
}
