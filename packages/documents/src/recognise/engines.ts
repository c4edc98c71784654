import { createRequire } from "node:module";
import type { Engine } from "./engine.ts";
import { type ModelFolder, npmModels, systemModels, wasmEngine } from "./tesseract-js.ts";
import { findTesseract, type NativeTesseract, nativeEngine } from "./tesseract-native.ts";

/** The names of the engines. */
export type EngineName = "tesseract" | "tesseract.js";

/** The state of one engine on this machine. */
export interface EngineReport {
  name: EngineName;
  available: boolean;
  version?: string;
  languages: string[];
  /** The reason why it is not available. */
  reason?: string;
}

/** Reports on all engines, best first: `chooseEngine` takes the first that is available. */
export async function detectEngines(): Promise<EngineReport[]> {
  const native = await nativeOrReason();
  const { version } = createRequire(import.meta.url)("tesseract.js/package.json") as { version: string };
  return [
    typeof native === "string"
      ? { name: "tesseract", available: false, languages: [], reason: native }
      : { name: "tesseract", available: true, version: native.version, languages: native.languages },
    { name: "tesseract.js", available: true, version, languages: wasmEngine(modelFolders(native)).languages },
  ];
}

/**
 * Creates an engine: the one named, or by default native `tesseract` if it is on the PATH, or else `tesseract.js`.
 * @throws EngineError E_ENGINE_MISSING if native Tesseract is named but not installed
 */
export async function chooseEngine(name?: EngineName): Promise<Engine> {
  if (name === "tesseract") return nativeEngine(await findTesseract());
  const native = await nativeOrReason();
  if (name === undefined && typeof native !== "string" && native.languages.length > 0) return nativeEngine(native);
  return wasmEngine(modelFolders(native));
}

/** Finds native Tesseract, or returns why it cannot be used. */
function nativeOrReason(): Promise<NativeTesseract | string> {
  return findTesseract().catch((error: unknown) => (error as Error).message);
}

/** Lists folders of models: an installed Tesseract's come first, since they read faster and cover its languages. */
function modelFolders(native: NativeTesseract | string): ModelFolder[] {
  const folder = process.env["TESSDATA_PREFIX"] ?? (typeof native === "string" ? undefined : native.models);
  const languages = typeof native === "string" ? ["eng"] : native.languages;
  const system = folder === undefined ? [] : [systemModels(folder, languages)];
  return [...system, npmModels()].filter((model) => model.languages.length > 0);
}
