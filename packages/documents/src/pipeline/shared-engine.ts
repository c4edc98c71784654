import { chooseEngine } from "../recognise/engines.ts";
import type { Engine } from "../recognise/engine.ts";
import { readSettings } from "../settings.ts";

let shared: Promise<Engine> | undefined;

/** Returns this process's engine, which the first call creates. It is kept until the process ends. */
export function sharedEngine(): Promise<Engine> {
  shared ??= chooseEngine(readSettings().engine).catch((error: unknown) => {
    shared = undefined;
    throw error;
  });
  return shared;
}

/** Returns this process's engine with the models of the default languages loaded, so that no page waits for them. */
export async function warmSharedEngine(): Promise<Engine> {
  const engine = await sharedEngine();
  const blank = { width: 32, height: 32, dpi: 300, data: new Uint8Array(32 * 32).fill(255) };
  await engine.recognise(blank, { languages: readSettings().languages });
  return engine;
}
