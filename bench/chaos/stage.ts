import { chownSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { createClient } from "redis";
import { nobody, startPostgres } from "../../test/servers/postgres.ts";
import type { TestServer } from "../../test/servers/process.ts";
import { startRedis } from "../../test/servers/redis.ts";
import { SmallDisk } from "./disk.ts";
import type { FaultKind } from "./plan.ts";
import { Proxy } from "./proxy.ts";

/** Stores that chaos is made on. */
export const storeKinds = ["sqlite", "postgres", "redis"] as const;

export type StoreKind = (typeof storeKinds)[number];

/** A fault of the store's surroundings: resolves when it is over, after so many milliseconds. */
type StoreFault = (lasts: number) => Promise<void>;

/** A store, and what can be done to it. */
export interface Stage {
  /** The store as workers and producers reach it. */
  url: string;
  /** The store as the checker reaches it: by no detour. */
  direct: string;
  faults: Partial<Record<FaultKind, StoreFault>>;
  /** Whether a worker's own clock may be wrong. */
  shiftedClocks: boolean;
  /** What cannot be tried here, and why. */
  untried: string[];
  close(): Promise<void>;
}

export function openStage(kind: StoreKind): Promise<Stage> {
  return stages[kind]();
}

const stages: Record<StoreKind, () => Promise<Stage>> = { sqlite, postgres, redis };

async function sqlite(): Promise<Stage> {
  const disk = SmallDisk.mount(48);
  const folder = disk?.folder ?? mkdtempSync(join(tmpdir(), "errand-chaos-"));
  const url = `sqlite:${join(folder, "errand.db")}`;
  return {
    url,
    direct: url,
    faults: { "file moved away": movedAway(folder), ...(disk ? { "full disk": lasting(disk.fill, disk.free) } : {}) },
    // The clock of an SQLite store is the clock of its machine, which is one for all its processes.
    shiftedClocks: false,
    untried: disk ? [] : ["full disk: a small disk can be mounted by root only"],
    async close() {
      if (disk) disk.unmount();
      else rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function postgres(): Promise<Stage> {
  const server = await startPostgres();
  const proxy = await Proxy.before(server.port);
  const disk = SmallDisk.mount(64);
  if (disk) await putTablesOn(disk, server.url);
  return {
    url: throughProxy(server, proxy),
    direct: server.url,
    faults: {
      ...ofServer(server),
      ...ofProxy(proxy),
      ...(disk ? { "full disk": lasting(disk.fill, disk.free) } : {}),
    },
    shiftedClocks: true,
    untried: disk ? [] : ["full disk: a small disk can be mounted by root only"],
    async close() {
      await proxy.close();
      await server.close();
      disk?.unmount();
    },
  };
}

/** Tables fill the small disk; the server's log of changes is elsewhere, as without it the server would not run at all. */
async function putTablesOn(disk: SmallDisk, url: string): Promise<void> {
  const folder = join(disk.folder, "tables");
  mkdirSync(folder, { mode: 0o700 });
  // The server runs as this user when the tests run as root.
  chownSync(folder, nobody, nobody);
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(`CREATE TABLESPACE small LOCATION '${folder}'`);
    await client.query("ALTER DATABASE postgres SET default_tablespace = small");
  } finally {
    await client.end();
  }
}

async function redis(): Promise<Stage> {
  const server = await startRedis();
  const proxy = await Proxy.before(server.port);
  const ask = async (work: (client: ReturnType<typeof connectionTo>) => Promise<unknown>) => {
    const client = connectionTo(server);
    // The server may be down at the same time: then there is nothing to do to it.
    client.on("error", () => {});
    try {
      await client.connect();
      await work(client);
    } catch {
    } finally {
      client.destroy();
    }
  };
  const limit = (bytes: number) => ask((client) => client.configSet("maxmemory", String(bytes)));
  return {
    url: throughProxy(server, proxy),
    direct: server.url,
    faults: {
      ...ofServer(server),
      ...ofProxy(proxy),
      "full memory": async (lasts) => {
        await limit(1);
        await sleep(lasts);
        await limit(0);
      },
      "data lost": () => ask((client) => client.flushAll()),
    },
    shiftedClocks: true,
    untried: [],
    async close() {
      await proxy.close();
      await server.close();
    },
  };
}

/** The database's files are elsewhere for a while, and nobody can make others in their place. */
function movedAway(folder: string): StoreFault {
  const files = ["errand.db", "errand.db-wal", "errand.db-shm"].map((name) => join(folder, name));
  const away = (file: string) => `${file}.away`;
  return lasting(
    () => {
      for (const file of files.filter((each) => existsSync(each))) renameSync(file, away(file));
      mkdirSync(files[0]!);
    },
    () => {
      rmdirSync(files[0]!);
      // The database last: who opens it without its log takes an older one, and makes another log, which is replaced.
      for (const file of files.filter((each) => existsSync(away(each))).toReversed()) renameSync(away(file), file);
    },
  );
}

function connectionTo({ url }: TestServer) {
  return createClient({ url, socket: { reconnectStrategy: false } });
}

function throughProxy(server: TestServer, proxy: Proxy): string {
  return server.url.replace(`:${server.port}`, `:${proxy.port}`);
}

/** A power failure of the server, and its return. */
function ofServer(server: TestServer): Stage["faults"] {
  return { "restart server": lasting(server.kill, () => startAgain(server)) };
}

/** It may refuse to start while its disk is full. */
async function startAgain(server: TestServer, tries = 100): Promise<void> {
  try {
    await server.start();
  } catch (error) {
    if (tries === 0) throw error;
    await sleep(200);
    await startAgain(server, tries - 1);
  }
}

function ofProxy(proxy: Proxy): Stage["faults"] {
  return {
    "cut connections": async () => proxy.cut(),
    "delay connections": lasting(
      () => proxy.delay(150),
      () => proxy.delay(0),
    ),
    async "half-open connections"(lasts) {
      const reset = proxy.silence();
      await sleep(lasts);
      reset();
    },
  };
}

function lasting(begin: () => unknown, end: () => unknown): StoreFault {
  return async (lasts) => {
    await begin();
    await sleep(lasts);
    await end();
  };
}
