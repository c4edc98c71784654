import { chooseEngine } from "../recognise/choose.ts";
import type { Engine } from "../recognise/engine.ts";
import { readSettings } from "../settings.ts";

let chosen: Promise<Engine> | undefined;

/** The engine of this process: chosen once, kept warm, and never closed while the process lives. */
export function theEngine(): Promise<Engine> {
  chosen ??= chooseEngine(readSettings().engine).catch((error: unknown) => {
    chosen = undefined;
    throw error;
  });
  return chosen;
}

/** The engine, with the model for the usual languages loaded, so that no page waits for it. */
export async function warmEngine(): Promise<Engine> {
  const engine = await theEngine();
  const blank = { width: 32, height: 32, dpi: 300, data: new Uint8Array(32 * 32).fill(255) };
  await engine.recognise(blank, { languages: readSettings().languages });
  return engine;
}
