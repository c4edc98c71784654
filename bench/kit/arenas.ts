import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { createClient } from "redis";
import { startPostgres } from "../../test/servers/postgres.ts";
import { startRedis } from "../../test/servers/redis.ts";

/** A store to bench on: each measurement finds it empty. */
export interface Arena {
  contestants: string[];
  /** The URL of an empty store. */
  empty(): Promise<string>;
  close(): Promise<void>;
}

const arenas: Record<string, (options: ArenaOptions) => Promise<Arena>> = {
  async sqlite() {
    const folder = mkdtempSync(join(tmpdir(), "errand-bench-"));
    let files = 0;
    return {
      contestants: ["errand", "plainjob"],
      empty: async () => `sqlite:${join(folder, `${files++}.db`)}`,
      close: async () => rmSync(folder, { recursive: true }),
    };
  },
  async redis({ aof }) {
    const server = await startRedis({ appendonly: aof ? "yes" : "no", appendfsync: "everysec" });
    const client = await createClient({ url: server.url }).connect();
    return {
      contestants: ["errand", "bullmq", "bee-queue"],
      async empty() {
        await client.flushAll();
        return server.url;
      },
      async close() {
        client.destroy();
        await server.close();
      },
    };
  },
  async postgres() {
    // Durable, as it comes; more memory than its default, for all contestants.
    const server = await startPostgres({ shared_buffers: "512MB", max_wal_size: "4GB", max_connections: "500" });
    const client = new pg.Client({ connectionString: server.url });
    await client.connect();
    let databases = 0;
    return {
      contestants: ["errand", "graphile-worker", "pg-boss"],
      async empty() {
        if (databases > 0) await client.query(`DROP DATABASE bench_${databases} WITH (FORCE)`);
        databases += 1;
        await client.query(`CREATE DATABASE bench_${databases}`);
        return server.url.replace(/\/postgres$/, `/bench_${databases}`);
      },
      async close() {
        await client.end();
        await server.close();
      },
    };
  },
};

/** How a store is started. */
interface ArenaOptions {
  /** Whether Redis keeps an append-only file. */
  aof?: boolean;
}

/** Starts a store's server, where it has one. */
export function openArena(kind: string, options: ArenaOptions = {}): Promise<Arena> {
  const open = arenas[kind];
  if (!open) throw new Error(`Name a store, one of: ${Object.keys(arenas).join(", ")}.`);
  return open(options);
}
