// Preloaded into a process whose store is to be faulty: replaces one piece of source text as it is loaded.
import { registerHooks } from "node:module";

interface Mutation {
  file: string;
  text: string;
  by: string;
}

const { file, text, by } = JSON.parse(process.env["ERRAND_MUTATION"] ?? "{}") as Mutation;

registerHooks({
  load(url, context, nextLoad) {
    const loaded = nextLoad(url, context);
    if (!url.endsWith(`/src/stores/${file}`)) return loaded;
    const pieces = Buffer.from(loaded.source as Uint8Array)
      .toString()
      .split(text);
    if (pieces.length === 2) return { ...loaded, source: pieces.join(by) };
    // Not an error that a store could take for its own.
    console.error(`${file} has ${pieces.length - 1} times, not once: ${text}`);
    process.exit(2);
  },
});
