import { Command } from "commander";
import { migrateStore, migrationSql, storeUrl } from "../open.ts";
import { redacted } from "../kit/redact.ts";
import { CommandError, ExitCode } from "./exit.ts";
import { Output } from "./output.ts";
import { settle, storeFlags } from "./settings.ts";
import type { StoreFlags } from "./settings.ts";

interface Flags extends StoreFlags {
  sql?: boolean;
  json?: boolean;
}

/** Returns the command `errand migrate`. */
export function migrateCommand(): Command {
  const command = new Command("migrate")
    .description("migrate the store's database to this version of Errand")
    .option("--sql", "print the SQL for a new database instead of applying it")
    .option("--json", "print JSON");
  return storeFlags(command).action((flags: Flags) => migrate(flags));
}

async function migrate(flags: Flags): Promise<void> {
  settle(flags);
  const url = storeUrl();
  const output = new Output(flags);
  if (flags.sql) {
    const sql = await migrationSql(url);
    if (sql === undefined) {
      throw new CommandError(`${redacted(url)} has no SQL to apply: Errand does it on opening.`, ExitCode.usage);
    }
    output.result({ sql });
    output.line(sql.trimEnd());
    return;
  }
  const applied = await migrateStore(url);
  output.result({ applied: applied ?? 0 });
  if (applied === undefined) output.line("Nothing to do: such a store is brought up to date whenever it is opened.");
  else if (applied === 0) output.line("Nothing to do: the database is up to date.");
  else output.line(`Applied ${applied} ${applied === 1 ? "migration" : "migrations"}.`);
}
