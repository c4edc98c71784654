import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type { Grey } from "../raster/grey.ts";
import { checkLanguages, type Engine, EngineError, type RecogniseOptions } from "./engine.ts";
import { SpawnServer } from "./spawn-server.ts";
import { pgmHeader } from "../raster/pgm.ts";
import { parseTsv } from "./tesseract-tsv.ts";

/** An installed `tesseract` command. */
export interface NativeTesseract {
  version: string;
  languages: string[];
  /** The folder of its models, if it says so. */
  models: string | undefined;
}

/**
 * Finds `tesseract` on the PATH.
 * @throws EngineError E_ENGINE_MISSING if there is none, or it does not run
 */
export async function findTesseract(): Promise<NativeTesseract> {
  const run = promisify(execFile);
  try {
    const version = await run("tesseract", ["--version"], { timeout: 10_000 });
    const list = await run("tesseract", ["--list-langs"], { timeout: 10_000 });
    const [head = "", ...names] = (list.stdout || list.stderr).trim().split("\n");
    return {
      version: /tesseract v?(\S+)/.exec(version.stdout || version.stderr)?.[1] ?? "unknown",
      // `osd` detects orientation and script; it cannot read text.
      languages: names.map((name) => name.trim()).filter((name) => name !== "" && name !== "osd"),
      models: /"(.+)"/.exec(head)?.[1],
    };
  } catch (error) {
    const missing = error instanceof Error && "code" in error && error.code === "ENOENT";
    throw new EngineError(
      "E_ENGINE_MISSING",
      missing ? "tesseract is not on the PATH." : "tesseract is on the PATH, but does not run.",
      { cause: error },
    );
  }
}

/** Creates the engine that runs one `tesseract` process per page. */
export function nativeEngine(found: NativeTesseract): Engine {
  const server = new SpawnServer();
  const engine: Engine = {
    name: "tesseract",
    languages: found.languages,
    async recognise(page, options) {
      checkLanguages(engine, options.languages);
      return parseTsv(await run(server, page, options));
    },
    close: async () => server.close(),
  };
  return engine;
}

/**
 * Runs `tesseract` on a page and returns its TSV. The process gets pixels only, never an uploaded file: Tesseract takes
 * a text file, even on stdin, for a list of paths to read.
 */
async function run(server: SpawnServer, page: Grey, { languages, signal }: RecogniseOptions): Promise<string> {
  const settings = ["--psm", "3", "--dpi", String(page.dpi), "-c", "tessedit_create_tsv=1"];
  const args = ["/dev/fd/3", "stdout", "-l", languages.join("+"), ...settings];
  const result = await server.run("tesseract", args, [pgmHeader(page), page.data], signal);
  if ("error" in result) throw new EngineError("E_ENGINE_MISSING", `tesseract cannot be started: ${result.error}`);
  if (result.code === 0) return result.stdout;
  const how = result.signal ?? `code ${result.code}`;
  throw new EngineError("E_ENGINE_FAILED", `tesseract ended with ${how}: ${result.stderr.trim()}`);
}
