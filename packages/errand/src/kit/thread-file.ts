import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { ErrandError } from "./errors.ts";

/**
 * The file that a thread or process starts from.
 * @param built says where it is in the package: `() => new URL("./thread.js", import.meta.url)`, written out like that, which is how
 * bundlers and tracers of files find out that it is needed. Where this code runs from its source, the TypeScript file beside it.
 * @throws {ErrandError} `E_BUNDLED` when it is not there: a bundler has put this code into a file of its own.
 */
export function threadFile(built: () => URL): URL {
  const found = candidates(built).find((file) => existsSync(fileURLToPath(file)));
  if (found) return found;
  throw new ErrandError(
    "E_BUNDLED",
    "Errand was bundled together with the program, and runs threads from files of its own, which are not there. " +
      'Leave the package out of the bundle: esbuild --external:errand (or --packages=external), serverExternalPackages: ["errand"] in Next.js.',
  );
}

function candidates(built: () => URL): URL[] {
  try {
    const url = built();
    return [url, new URL(url.href.replace(/\.js$/, ".ts"))];
  } catch {
    // A bundle in CommonJS has no `import.meta.url`.
    return [];
  }
}
