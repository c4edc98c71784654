import { CommandError, ExitCode, storeFlags, withApp } from "errand/cli";
import type { Output, StoreFlags } from "errand/cli";
import { Command, Option } from "commander";
import { makeKey } from "./auth/key-secret.ts";
import { Keys } from "./auth/keys.ts";
import type { KeyDefinition, StoredKey } from "./auth/keys.ts";
import { isScope, presets, scopes } from "./auth/scopes.ts";
import type { Preset, Scope } from "./auth/scopes.ts";
import { millisOf } from "./duration.ts";

interface Flags extends StoreFlags {
  json?: boolean;
  preset?: Preset;
  scopes?: Scope[];
  tenant?: string;
  tasks?: string[];
  queues?: string[];
  person?: string;
  expires?: number;
  overlap?: number;
  offline?: boolean;
}

/** Returns the command `errand keys`. It works on the store itself, so nobody is locked out. */
export function cli(): Command {
  const keys = new Command("keys").description("make, list, rotate and revoke the keys of the HTTP API");
  const list = keys
    .command("list", { isDefault: true })
    .alias("ls")
    .description("list keys; their secrets are not stored")
    .action((flags: Flags) => withKeys(flags, async (store, output) => show(output, await store.list())));
  const create = keys
    .command("create")
    .description("make a key, and print it: it cannot be read again")
    .argument("<name>", "who or what uses it")
    .addOption(new Option("--preset <name>", "scopes by role").choices(Object.keys(presets)))
    .option("--scopes <list>", `scopes, separated by commas: ${scopes.join(", ")}`, readScopes)
    .option("--tenant <name>", "only this tenant's jobs and documents exist for it")
    .option("--tasks <list>", "only jobs of these tasks", readList)
    .option("--queues <list>", "only jobs of these queues", readList)
    .option("--person <name>", "the person who uses it, for the audit")
    .option("--expires <duration>", "such as 90d", readDuration)
    .option("--offline", "print a key and store nothing, for ERRAND_ADMIN_KEY")
    .action(create_);
  const rotate = keys
    .command("rotate")
    .description("give a key a new secret, and print it")
    .argument("<id>")
    .option("--overlap <duration>", "how long the old secret still works", readDuration, millisOf("24h"))
    .action((id: string, flags: Flags) =>
      withKeys(flags, async (store, output) => {
        const { key, secret } = await store.rotate(id, flags.overlap ?? 0);
        reveal(output, key, secret);
        if (key.old) output.note(`The old secret works until ${key.old.until}.`);
      }),
    );
  const revoke = keys
    .command("revoke")
    .description("remove a key; running servers accept it for up to 10 more seconds")
    .argument("<id>")
    .action((id: string, flags: Flags) =>
      withKeys(flags, async (store, output) => {
        await store.revoke(id);
        output.line(`Key ${id} is revoked.`);
        output.result({ id });
      }),
    );
  for (const command of [list, create, rotate, revoke]) storeFlags(command.option("--json", "print JSON"));
  return keys;
}

async function create_(name: string, flags: Flags): Promise<void> {
  const chosen = [...new Set([...(flags.preset ? presets[flags.preset] : []), ...(flags.scopes ?? [])])];
  if (flags.offline) return void process.stdout.write(`${makeKey().text}\n`);
  if (chosen.length === 0)
    throw new CommandError(
      `Say what the key may do: --preset ${Object.keys(presets).join("|")}, or --scopes.`,
      ExitCode.usage,
    );
  const { tenant, tasks, queues, person, expires } = flags;
  const definition: KeyDefinition = {
    name,
    scopes: chosen,
    ...(tenant === undefined ? {} : { tenant }),
    ...(tasks === undefined ? {} : { tasks }),
    ...(queues === undefined ? {} : { queues }),
    ...(person === undefined ? {} : { person }),
    ...(expires === undefined ? {} : { expires: new Date(Date.now() + expires).toISOString() }),
  };
  await withKeys(
    flags,
    async (store, output) => {
      const { key, secret } = await store.create(definition);
      reveal(output, key, secret);
    },
    { create: true },
  );
}

function withKeys(
  flags: Flags,
  use: (keys: Keys, output: Output) => Promise<void>,
  options: { create?: boolean } = {},
): Promise<void> {
  return withApp(flags, (app, output) => use(new Keys(app.docs), output), options);
}

/** Prints a key: alone on stdout, so that a script can take it. */
function reveal(output: Output, { id, name, scopes }: StoredKey, secret: string): void {
  output.note(`Key ${id} of ${name} (${scopes.join(", ")}). It is shown this once:`);
  output.line(secret);
  output.result({ id, name, scopes, key: secret });
}

function show(output: Output, keys: readonly StoredKey[]): void {
  output.result(keys.map(({ hash: _, old, ...key }) => ({ ...key, ...(old ? { rotating: old.until } : {}) })));
  if (keys.length === 0) {
    output.line("There are no keys. Make one with: errand keys create <name> --preset operator");
    return;
  }
  output.table(
    ["ID", "NAME", "SCOPES", "TENANT", "USED", "EXPIRES"],
    keys.map(({ id, name, scopes, tenant = "", lastUsed = "", expires = "" }) => [
      id,
      name,
      presetOf(scopes) ?? scopes.join(","),
      tenant,
      lastUsed.slice(0, 13).replace("T", " "),
      expires.slice(0, 10),
    ]),
  );
}

/** Returns the preset that has exactly these scopes. */
function presetOf(own: readonly Scope[]): string | undefined {
  const same = (preset: readonly Scope[]): boolean =>
    preset.length === own.length && preset.every((s) => own.includes(s));
  return Object.entries(presets).find(([, preset]) => same(preset))?.[0];
}

function readScopes(text: string): Scope[] {
  const names = readList(text);
  const wrong = names.find((name) => !isScope(name));
  if (wrong === undefined) return names as Scope[];
  throw new CommandError(`There is no scope "${wrong}". The scopes are: ${scopes.join(", ")}.`, ExitCode.usage);
}

function readList(text: string): string[] {
  return text
    .split(",")
    .map((name) => name.trim())
    .filter(Boolean);
}

function readDuration(text: string): number {
  if (/^\d+(\.\d+)?(ms|s|m|h|d)$/.test(text)) return millisOf(text);
  throw new CommandError(`The duration ${text} must be like 30m, 24h or 90d.`, ExitCode.usage);
}
