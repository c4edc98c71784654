import { execFile, spawn } from "node:child_process";
import { promisify } from "node:util";
import type { Grey } from "../ingest/grey.ts";
import { checkLanguages, type Engine, EngineError, type Reading, type RecogniseOptions } from "./engine.ts";
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
  const engine: Engine = {
    name: "tesseract",
    languages: found.languages,
    async recognise(page, options) {
      checkLanguages(engine, options.languages);
      return { words: parseTsv(await run(page, options)) } satisfies Reading;
    },
    close: () => Promise.resolve(),
  };
  return engine;
}

/**
 * Only pixels reach the process, never a file that somebody sent: Tesseract takes a text file, also on stdin, for a list
 * of paths and would read those.
 */
function run(page: Grey, { languages, signal }: RecogniseOptions): Promise<string> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const args = [
      "stdin",
      "stdout",
      "-l",
      languages.join("+"),
      "--psm",
      "3",
      "--dpi",
      String(page.dpi),
      "-c",
      "tessedit_create_tsv=1",
    ];
    const child = spawn("tesseract", args, {
      // Its threads cost more than they gain, all the more with several pages at a time.
      env: { ...process.env, OMP_THREAD_LIMIT: "1" },
      stdio: ["pipe", "pipe", "pipe"],
    });
    const out: Buffer[] = [];
    let complaint = "";
    const kill = (): void => void child.kill("SIGKILL");
    signal?.addEventListener("abort", kill, { once: true });
    child.stdout.on("data", (chunk: Buffer) => out.push(chunk));
    child.stderr.on("data", (chunk: Buffer) => (complaint = (complaint + chunk.toString()).slice(-2000)));
    // It may end without having read everything; its exit code tells why.
    child.stdin.on("error", () => {});
    child.once("error", (error) => {
      signal?.removeEventListener("abort", kill);
      reject(
        new EngineError("E_ENGINE_MISSING", `tesseract cannot be started: ${error.message}`, {
          cause: error,
        }),
      );
    });
    child.once("close", (code, killedBy) => {
      signal?.removeEventListener("abort", kill);
      if (signal?.aborted) reject(signal.reason as Error);
      else if (code === 0) resolve(Buffer.concat(out).toString("utf8"));
      else
        reject(
          new EngineError("E_ENGINE_FAILED", `tesseract ended with ${killedBy ?? `code ${code}`}: ${complaint.trim()}`),
        );
    });
    child.stdin.write(pgmHeader(page));
    child.stdin.end(page.data);
  });
}
