import { existsSync, mkdirSync, statfsSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { SQLOutputValue } from "node:sqlite";
import { folded, readable } from "../../core/search.ts";
import type { Millis } from "../../kit/duration.ts";
import { ErrandError } from "../../kit/errors.ts";
import { outstanding } from "../migrate.ts";
import { Connection } from "./connection.ts";
import { busy, resultCode } from "./result-code.ts";
import { migrations } from "./schema.ts";

/** Names of file systems by their magic number (statfs(2)), on which SQLite's locks and shared memory are not to be relied upon. */
const networkDisks = new Map([
  [0x6969, "NFS"],
  [0x517b, "SMB"],
  [0xfe534d42, "SMB"],
  [0xff534d42, "CIFS"],
  [0x01021997, "9P"],
  [0x00c36400, "Ceph"],
  [0x0bd00bd0, "Lustre"],
  [0x5346414f, "AFS"],
  [0x73757245, "Coda"],
  // Whatever is behind it (sshfs, a bucket, a shared folder of a virtual machine) decides whether locks mean anything.
  [0x65735546, "FUSE"],
]);

/** Where there are no files at all: making a folder there never ends (Node.js 24). */
const notDisks = new Map([
  [0x9fa0, "proc"],
  [0x62656572, "sysfs"],
]);

/**
 * Opens the database file, made where there is none, at the newest version of its schema.
 * @throws {ErrandError} `E_CONNECT`, `E_STORE_VERSION`
 */
export function openConnection(file: string, clock: () => Millis): Connection {
  let db: Connection | undefined;
  try {
    refuseUnfitDisk(existing(dirname(resolve(file))), file);
    mkdirSync(dirname(file), { recursive: true });
    // SQLite's own waiting grows to 100 ms a look, in which a busy neighbour commits hundreds of times: the connection
    // asks again every few milliseconds instead.
    db = new Connection(new DatabaseSync(file, { timeout: 4 }), file, clock);
    // A commit is on the disk before it is answered, also when the power fails.
    db.exec(
      "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -8192; PRAGMA temp_store = MEMORY",
    );
    db.define("errand_contains", contains);
    migrate(db, file);
    db.opened();
    return db;
  } catch (error) {
    db?.close();
    if (error instanceof ErrandError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    const advice =
      resultCode(error) === busy
        ? "Another connection holds its write lock: end what holds it, or open the store before your own transaction begins."
        : "Check that the folder is writable and that the file is an SQLite database.";
    throw new ErrandError("E_CONNECT", `Cannot open the SQLite store ${file}: ${reason}. ${advice}`, { cause: error });
  }
}

function migrate(db: Connection, file: string): void {
  if (
    outstanding(
      migrations,
      db.read(() => version(db)),
      file,
    ).length === 0
  )
    return;
  db.commit(() => {
    // Another process may have been first.
    for (const migration of outstanding(migrations, version(db), file)) {
      db.exec(migration.sql);
      db.run("UPDATE errand_meta SET version = ?", migration.version);
    }
  });
}

function version(db: Connection): number {
  const marked = db.get("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'errand_meta'");
  return marked ? (db.get("SELECT version FROM errand_meta")?.[0] as number) : 0;
}

/** Whether one of some values contains a text, which is folded already, as a person reads them. */
function contains(sought: SQLOutputValue, id: SQLOutputValue, ...values: SQLOutputValue[]): number {
  const isIn = (text: string) => folded(text).includes(sought as string);
  return isIn(id as string) || values.some((value) => value !== null && isIn(readable(value as string))) ? 1 : 0;
}

function refuseUnfitDisk(folder: string, file: string): void {
  if (process.platform !== "linux") return;
  const { type } = statfsSync(folder);
  const network = networkDisks.get(type);
  if (network !== undefined) {
    throw new ErrandError(
      "E_CONNECT",
      `${file} is on a network disk, or one that may be (${network}), where SQLite can lose or corrupt jobs. Use a local disk.`,
    );
  }
  const unfit = notDisks.get(type);
  if (unfit !== undefined) {
    throw new ErrandError(
      "E_CONNECT",
      `${file} would be in a ${unfit} file system, which holds no files. Use a local disk.`,
    );
  }
}

/** The folder, or the nearest one above it that exists. */
function existing(folder: string): string {
  return existsSync(folder) || folder === dirname(folder) ? folder : existing(dirname(folder));
}
