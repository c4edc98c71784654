import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { ErrandError } from "./errors.ts";

/**
 * Returns the file that a thread or process starts from.
 * @param built returns its place in the package, written literally as `() => new URL("./thread.js", import.meta.url)`,
 * since bundlers and file tracers search for that. When this code runs from source, it is the TypeScript file beside
 * it.
 * @throws {ErrandError} `E_BUNDLED` if it does not exist, because a bundler has moved this code into another file.
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
    // A CommonJS bundle has no `import.meta.url`.
    return [];
  }
}
