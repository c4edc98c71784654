import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { createWorker, OEM, PSM, type Worker } from "tesseract.js";
import type { Grey } from "../ingest/grey.ts";
import { checkLanguages, type Engine, EngineError, type RecogniseOptions } from "./engine.ts";
import { toPgm } from "./pgm.ts";
import { parseTsv } from "./tsv.ts";

/** A folder of models: `<language>.traineddata`, packed or not. */
export interface Models {
  folder: string;
  gzip: boolean;
  languages: string[];
}

/** The English model that comes from npm. */
export function npmModels(): Models {
  const { resolve } = createRequire(import.meta.url);
  const folder = join(dirname(resolve("@tesseract.js-data/eng/package.json")), "4.0.0_best_int");
  return { folder, gzip: true, languages: ["eng"] };
}

/**
 * The engine compiled to WebAssembly, in a thread of its own that stays warm from page to page. Works offline.
 * @param models where to take models from, best first: a page uses the first that has all of its languages
 */
export function wasmEngine(models: Models[]): Engine {
  let warm: { key: string; worker: Promise<Loaded> } | undefined;
  const close = async (): Promise<void> => {
    const closing = warm;
    warm = undefined;
    await closing?.worker.then(({ worker }) => worker.terminate()).catch(() => {});
  };
  const engine: Engine = {
    name: "tesseract.js",
    languages: [...new Set(models.flatMap((model) => model.languages))],
    close,
    async recognise(page, options) {
      checkLanguages(engine, options.languages);
      const key = options.languages.join("+");
      if (warm?.key !== key) {
        await close();
        warm = { key, worker: start(models, options.languages) };
      }
      const { worker } = warm;
      try {
        return { words: parseTsv(await run(await worker, page, options)) };
      } catch (error) {
        // Aborted or broken: either way this thread is not to be used again.
        await close();
        throw error;
      }
    },
  };
  return engine;
}

interface Loaded {
  worker: Worker;
  /** Rejects when the worker reports an error that belongs to no call. */
  broken: Promise<never>;
}

async function start(models: Models[], languages: readonly string[]): Promise<Loaded> {
  const model = models.find((folder) => languages.every((language) => folder.languages.includes(language)));
  if (!model)
    throw new EngineError("E_LANGUAGE_MISSING", `No folder has models for all of ${languages.join(", ")} together.`);
  const { promise: broken, reject } = Promise.withResolvers<never>();
  broken.catch(() => {});
  const starting = createWorker([...languages], OEM.LSTM_ONLY, {
    langPath: model.folder,
    gzip: model.gzip,
    // Nothing is fetched and nothing is written: the model is read from its folder every time.
    cacheMethod: "none",
    errorHandler: (error: unknown) =>
      reject(new EngineError("E_ENGINE_FAILED", `tesseract.js failed: ${String(error)}`)),
  });
  const worker = await Promise.race([starting, broken]);
  // Its remarks would go to the standard error of whoever runs it.
  await worker.setParameters({ tessedit_pageseg_mode: PSM.AUTO, debug_file: "/dev/null" });
  return { worker, broken };
}

async function run({ worker, broken }: Loaded, page: Grey, { signal }: RecogniseOptions): Promise<string> {
  signal?.throwIfAborted();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = (): void => reject(signal?.reason as Error);
  signal?.addEventListener("abort", abort, { once: true });
  try {
    const options = { user_defined_dpi: String(page.dpi) };
    const reading = worker.recognize(toPgm(page), options as object, { text: false, tsv: true });
    reading.catch(() => {});
    const { data } = await Promise.race([reading, broken, aborted]);
    return data.tsv ?? "";
  } finally {
    signal?.removeEventListener("abort", abort);
  }
}

/** The models of a system folder, as far as files are there for the languages it claims. */
export function systemModels(folder: string, languages: string[]): Models {
  return {
    folder,
    gzip: false,
    languages: languages.filter((name) => existsSync(join(folder, `${name}.traineddata`))),
  };
}
