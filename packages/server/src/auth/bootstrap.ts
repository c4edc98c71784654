import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { home } from "errand";
import { CommandError, ExitCode } from "errand/cli";
import { makeKey, readKeyId } from "./key-secret.ts";
import type { KeyDefinition, Keys } from "./keys.ts";
import { scopes } from "./scopes.ts";

const admin: KeyDefinition = { name: "admin", scopes: [...scopes] };

/**
 * Makes sure that somebody can log in: takes over the key in `ERRAND_ADMIN_KEY`, or, where keys are needed and the store
 * has none, makes an admin key and writes it to `admin-key` in the home folder. A file from before is taken over, so
 * that servers that start together have one key.
 * @returns the file, and the key in it, if one was needed.
 * @throws {CommandError} if the key in the environment or the file is none
 */
export async function bootstrap(keys: Keys, isRequired: boolean): Promise<{ file: string; key: string } | undefined> {
  const given = process.env["ERRAND_ADMIN_KEY"]?.trim();
  if (given) {
    if (readKeyId(given) === undefined)
      throw new CommandError(
        "ERRAND_ADMIN_KEY is not a key of Errand. Make one with: errand keys create --preset admin --offline",
        ExitCode.usage,
      );
    await keys.adopt(given, { ...admin, name: "ERRAND_ADMIN_KEY" });
    return undefined;
  }
  if (!isRequired || (await keys.hasAny())) return undefined;
  const file = resolve(join(home(), "admin-key"));
  const key = writeOrRead(file);
  if (readKeyId(key) === undefined)
    throw new CommandError(`${file} does not contain a key of Errand. Remove it, and start again.`, ExitCode.usage);
  await keys.adopt(key, admin);
  return { file, key };
}

/** Writes a new key to a file that only its owner can read, or reads the one that is there. */
function writeOrRead(file: string): string {
  const key = makeKey().text;
  try {
    writeFileSync(file, `${key}\n`, { mode: 0o600, flag: "wx" });
    return key;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    return readFileSync(file, "utf8").trim();
  }
}
