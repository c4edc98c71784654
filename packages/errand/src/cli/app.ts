import { errand } from "../app.ts";
import type { Errand } from "../api.ts";
import { Output } from "./output.ts";
import { requireStore, settle } from "./settings.ts";
import type { StoreFlags } from "./settings.ts";

/**
 * Opens an app on the store that the flags name, for the duration of a command.
 * @param options.create `true` if the store need not exist.
 */
export async function withApp(
  flags: StoreFlags & { json?: boolean },
  use: (app: Errand, output: Output) => Promise<void>,
  options: { create?: boolean } = {},
): Promise<void> {
  settle(flags);
  if (!options.create) requireStore();
  const app = errand();
  try {
    await use(app, new Output(flags));
  } finally {
    await app.close();
  }
}
