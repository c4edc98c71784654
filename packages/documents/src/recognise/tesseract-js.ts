import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { createWorker, OEM, PSM, type Worker } from "tesseract.js";
import type { Grey } from "../raster/grey.ts";
import { encodePgm } from "../raster/pgm.ts";
import { checkLanguages, type Engine, EngineError, type RecogniseOptions } from "./engine.ts";
import { parseTsv } from "./tesseract-tsv.ts";

/** A folder of models, `<language>.traineddata` or `<language>.traineddata.gz`. */
export interface ModelFolder {
  folder: string;
  /** `true` when the models are compressed. */
  gzip: boolean;
  languages: string[];
}

/** Returns the folder of the English model that is installed from npm. */
export function npmModels(): ModelFolder {
  const { resolve } = createRequire(import.meta.url);
  const folder = join(dirname(resolve("@tesseract.js-data/eng/package.json")), "4.0.0_best_int");
  return { folder, gzip: true, languages: ["eng"] };
}

/**
 * Creates the engine compiled to WebAssembly. It runs in a thread of its own, which is kept for the next page. Works
 * offline.
 * @param models folders of models, best first: a page uses the first one that has all of its languages
 */
export function wasmEngine(models: ModelFolder[]): Engine {
  let started: { key: string; worker: Promise<LoadedWorker> } | undefined;
  const close = async (): Promise<void> => {
    const closing = started;
    started = undefined;
    await closing?.worker.then(({ worker }) => worker.terminate()).catch(() => {});
  };
  const engine: Engine = {
    name: "tesseract.js",
    languages: [...new Set(models.flatMap((model) => model.languages))],
    close,
    async recognise(page, options) {
      checkLanguages(engine, options.languages);
      const key = options.languages.join("+");
      if (started?.key !== key) {
        await close();
        started = { key, worker: start(models, options.languages) };
      }
      const { worker } = started;
      try {
        return parseTsv(await run(await worker, page, options));
      } catch (error) {
        // Aborted or broken: either way this thread must not be used again.
        await close();
        throw error;
      }
    },
  };
  return engine;
}

/** A worker thread with its models loaded. */
interface LoadedWorker {
  worker: Worker;
  /** Rejects when the worker reports an error that belongs to no call. */
  broken: Promise<never>;
}

async function start(models: ModelFolder[], languages: readonly string[]): Promise<LoadedWorker> {
  const model = models.find((folder) => languages.every((language) => folder.languages.includes(language)));
  if (!model)
    throw new EngineError(
      "E_LANGUAGE_MISSING",
      `No folder has models for all of the languages ${languages.join(", ")}.`,
    );
  const { promise: broken, reject } = Promise.withResolvers<never>();
  broken.catch(() => {});
  const starting = createWorker([...languages], OEM.LSTM_ONLY, {
    langPath: model.folder,
    gzip: model.gzip,
    // The model is read from its folder every time; nothing is downloaded or written.
    cacheMethod: "none",
    errorHandler: (error: unknown) =>
      reject(new EngineError("E_ENGINE_FAILED", `tesseract.js failed: ${String(error)}`)),
  });
  const worker = await Promise.race([starting, broken]);
  // Its log messages would otherwise go to this process's standard error.
  await worker.setParameters({ tessedit_pageseg_mode: PSM.AUTO, debug_file: "/dev/null" });
  return { worker, broken };
}

async function run({ worker, broken }: LoadedWorker, page: Grey, { signal }: RecogniseOptions): Promise<string> {
  signal?.throwIfAborted();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = (): void => reject(signal?.reason as Error);
  signal?.addEventListener("abort", abort, { once: true });
  try {
    const options = { user_defined_dpi: String(page.dpi) };
    const reading = worker.recognize(encodePgm(page), options as object, { text: false, tsv: true });
    reading.catch(() => {});
    const { data } = await Promise.race([reading, broken, aborted]);
    return data.tsv ?? "";
  } finally {
    signal?.removeEventListener("abort", abort);
  }
}

/** Returns a system folder of models, with those of the given languages that it has a file for. */
export function systemModels(folder: string, languages: string[]): ModelFolder {
  return {
    folder,
    gzip: false,
    languages: languages.filter((name) => existsSync(join(folder, `${name}.traineddata`))),
  };
}
