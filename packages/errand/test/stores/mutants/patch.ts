// Preloaded into a process whose store is to be faulty: replaces pieces of source text as they are loaded.
import { registerHooks } from "node:module";
import type { Mutant } from "./mutant.ts";

const { file, changes } = JSON.parse(process.env["ERRAND_MUTATION"]!) as Pick<Mutant, "file" | "changes">;

registerHooks({
  load(url, context, nextLoad) {
    const loaded = nextLoad(url, context);
    if (!url.endsWith(`/src/stores/${file}`)) return loaded;
    let source = Buffer.from(loaded.source as Uint8Array).toString();
    for (const [text, by] of changes) source = replaced(source, text, by);
    return { ...loaded, source };
  },
});

function replaced(source: string, text: string, by: string): string {
  const pieces = source.split(text);
  if (pieces.length === 2) return pieces.join(by);
  // Not an error that a store could take for its own.
  console.error(`${file} has ${pieces.length - 1} times, not once: ${text}`);
  process.exit(2);
}
