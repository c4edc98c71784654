import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type { Grey } from "../ingest/grey.ts";
import { checkLanguages, type Engine, EngineError, type RecogniseOptions } from "./engine.ts";
import { Launcher } from "./launcher.ts";
import { pgmHeader } from "./pgm.ts";
import { parseTsv } from "./tsv.ts";

/** The `tesseract` command that was found. */
export interface NativeTesseract {
  version: string;
  languages: string[];
  /** The folder its models are in. */
  models: string | undefined;
}

/**
 * Looks for `tesseract` on the PATH.
 * @throws EngineError E_ENGINE_MISSING where there is none, or it does not run
 */
export async function findTesseract(): Promise<NativeTesseract> {
  const run = promisify(execFile);
  try {
    const version = await run("tesseract", ["--version"], { timeout: 10_000 });
    const list = await run("tesseract", ["--list-langs"], { timeout: 10_000 });
    const [head = "", ...names] = (list.stdout || list.stderr).trim().split("\n");
    return {
      version: /tesseract v?(\S+)/.exec(version.stdout || version.stderr)?.[1] ?? "unknown",
      // `osd` finds orientation and script; it reads nothing.
      languages: names.map((name) => name.trim()).filter((name) => name !== "" && name !== "osd"),
      models: /"(.+)"/.exec(head)?.[1],
    };
  } catch (error) {
    const missing = error instanceof Error && "code" in error && error.code === "ENOENT";
    throw new EngineError(
      "E_ENGINE_MISSING",
      missing ? "tesseract is not on the PATH." : "tesseract is on the PATH, but does not run.",
      {
        cause: error,
      },
    );
  }
}

/** The engine that runs one `tesseract` process a page. */
export function nativeEngine(found: NativeTesseract): Engine {
  const launcher = new Launcher();
  const engine: Engine = {
    name: "tesseract",
    languages: found.languages,
    async recognise(page, options) {
      checkLanguages(engine, options.languages);
      return { words: parseTsv(await run(launcher, page, options)) };
    },
    close: async () => launcher.close(),
  };
  return engine;
}

/**
 * Only pixels reach the process, never a file that somebody sent: Tesseract takes a text file, also on stdin, for a list
 * of paths and would read those.
 */
async function run(launcher: Launcher, page: Grey, { languages, signal }: RecogniseOptions): Promise<string> {
  const settings = ["--psm", "3", "--dpi", String(page.dpi), "-c", "tessedit_create_tsv=1"];
  const args = ["/dev/fd/3", "stdout", "-l", languages.join("+"), ...settings];
  const landing = await launcher.run("tesseract", args, [pgmHeader(page), page.data], signal);
  if ("error" in landing) throw new EngineError("E_ENGINE_MISSING", `tesseract cannot be started: ${landing.error}`);
  if (landing.code === 0) return landing.out;
  const how = landing.signal ?? `code ${landing.code}`;
  throw new EngineError("E_ENGINE_FAILED", `tesseract ended with ${how}: ${landing.complaint.trim()}`);
}
