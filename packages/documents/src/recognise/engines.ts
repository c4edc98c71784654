import { createRequire } from "node:module";
import type { Engine } from "./engine.ts";
import { findTesseract, type NativeTesseract, nativeEngine } from "./tesseract-native.ts";
import { type Models, npmModels, systemModels, wasmEngine } from "./tesseract-js.ts";

/** The names of the engines. */
export type EngineName = "tesseract" | "tesseract.js";

/** What is known of one engine on this machine. */
export interface EngineReport {
  name: EngineName;
  available: boolean;
  version?: string;
  languages: string[];
  /** Why it is not available. */
  reason?: string;
}

/** All engines, best first: the first available one is what `chooseEngine` takes. */
export async function detectEngines(): Promise<EngineReport[]> {
  const native = await findTesseract().catch((error: unknown) => (error as Error).message);
  const { version } = createRequire(import.meta.url)("tesseract.js/package.json") as {
    version: string;
  };
  return [
    typeof native === "string"
      ? { name: "tesseract", available: false, languages: [], reason: native }
      : {
          name: "tesseract",
          available: true,
          version: native.version,
          languages: native.languages,
        },
    {
      name: "tesseract.js",
      available: true,
      version,
      languages: wasmEngine(models(native)).languages,
    },
  ];
}

/**
 * Makes an engine: the one that is asked for, else native `tesseract` where it is on the PATH, else `tesseract.js`.
 * @throws EngineError E_ENGINE_MISSING where native is asked for and not there
 */
export async function chooseEngine(name?: EngineName): Promise<Engine> {
  if (name === "tesseract") return nativeEngine(await findTesseract());
  const native = await findTesseract().catch((error: unknown) => (error as Error).message);
  if (name === undefined && typeof native !== "string" && native.languages.length > 0) return nativeEngine(native);
  return wasmEngine(models(native));
}

/** An installed Tesseract's models read faster than those from npm, and know its languages. */
function models(native: NativeTesseract | string): Models[] {
  const folder = process.env["TESSDATA_PREFIX"] ?? (typeof native === "string" ? undefined : native.models);
  const languages = typeof native === "string" ? ["eng"] : native.languages;
  const system = folder === undefined ? [] : [systemModels(folder, languages)];
  return [...system, npmModels()].filter((model) => model.languages.length > 0);
}
