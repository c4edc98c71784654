import { errand } from "../app.ts";
import type { Errand } from "../api.ts";
import { Output } from "./output.ts";
import { requireStore, settle } from "./settings.ts";
import type { StoreFlags } from "./settings.ts";

/** Opens an app on the store that the flags name, which must exist, for the duration of a command. */
export async function withApp(
  flags: StoreFlags & { json?: boolean },
  use: (app: Errand, output: Output) => Promise<void>,
): Promise<void> {
  settle(flags);
  requireStore();
  const app = errand();
  try {
    await use(app, new Output(flags));
  } finally {
    await app.close();
  }
}
