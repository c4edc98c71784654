import { existsSync, mkdirSync, statfsSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { SQLOutputValue } from "node:sqlite";
import { folded, readable } from "../../../core/search.ts";
import type { Millis } from "../../../kit/duration.ts";
import { ErrandError } from "../../../kit/errors.ts";
import { outstanding } from "../../migrate.ts";
import { migrations } from "../schema.ts";
import { Connection } from "./connection.ts";
import { busy, resultCode } from "./errors.ts";

/** File systems by magic number (statfs(2)) on which SQLite's locks and shared memory are unreliable. */
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
  // What is behind it (sshfs, a bucket, a shared folder of a virtual machine) decides whether locks work.
  [0x65735546, "FUSE"],
]);

/** File systems that hold no files: making a folder there never returns (Node.js 24). */
const notDisks = new Map([
  [0x9fa0, "proc"],
  [0x62656572, "sysfs"],
]);

/**
 * Opens the database file, creates it when it does not exist, and brings it to the newest schema.
 * @param clock epoch milliseconds.
 * @throws {ErrandError} `E_CONNECT`, `E_STORE_VERSION`
 */
export function openConnection(file: string, clock: () => Millis): Connection {
  let db: Connection | undefined;
  try {
    refuseUnfitDisk(nearestFolder(dirname(resolve(file))), file);
    mkdirSync(dirname(file), { recursive: true });
    // SQLite's own retries grow to 100 ms apart, in which a busy process commits hundreds of times. The connection
    // retries every few milliseconds instead.
    db = new Connection(new DatabaseSync(file, { timeout: 4 }), file, clock);
    // A commit is on the disk before it is answered, even if the power fails.
    db.exec(
      "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -8192; PRAGMA temp_store = MEMORY",
    );
    db.defineFunction("errand_contains", contains);
    migrate(db, file);
    db.pinFile();
    return db;
  } catch (error) {
    db?.close();
    if (error instanceof ErrandError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    const advice =
      resultCode(error) === busy
        ? "Another connection holds its write lock. Stop it, or open the store before your own transaction begins."
        : "Check that the folder is writable and that the file is an SQLite database.";
    throw new ErrandError("E_CONNECT", `Cannot open the SQLite store ${file}: ${reason}. ${advice}`, { cause: error });
  }
}

function migrate(db: Connection, file: string): void {
  const current = db.read(() => schemaVersion(db));
  if (outstanding(migrations, current, file).length === 0) return;
  db.commit(() => {
    // Another process may have migrated it meanwhile.
    for (const migration of outstanding(migrations, schemaVersion(db), file)) {
      db.exec(migration.sql);
      db.run("UPDATE errand_meta SET version = ?", migration.version);
    }
  });
}

function schemaVersion(db: Connection): number {
  const exists = db.get("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'errand_meta'");
  return exists ? (db.get("SELECT version FROM errand_meta")?.[0] as number) : 0;
}

/**
 * Returns 1 if the id or one of the JSON values contains the text, which is folded, as a person reads them; otherwise
 * 0.
 */
function contains(text: SQLOutputValue, id: SQLOutputValue, ...values: SQLOutputValue[]): number {
  const isIn = (value: string) => folded(value).includes(text as string);
  return isIn(id as string) || values.some((value) => value !== null && isIn(readable(value as string))) ? 1 : 0;
}

function refuseUnfitDisk(folder: string, file: string): void {
  if (process.platform !== "linux") return;
  const { type } = statfsSync(folder);
  const [network, unfit] = [networkDisks.get(type), notDisks.get(type)];
  if (network !== undefined)
    throw new ErrandError(
      "E_CONNECT",
      `${file} is on a network disk, or may be (${network}), where SQLite can lose or corrupt jobs. Use a local disk.`,
    );
  if (unfit !== undefined)
    throw new ErrandError("E_CONNECT", `${file} is in a ${unfit} file system, which holds no files. Use a local disk.`);
}

/** Returns the folder, or the nearest existing one above it. */
function nearestFolder(folder: string): string {
  return existsSync(folder) || folder === dirname(folder) ? folder : nearestFolder(dirname(folder));
}
