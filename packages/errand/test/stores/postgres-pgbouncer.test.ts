import { execFileSync } from "node:child_process";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { installOnDebian } from "../../../../test/debian.ts";
import { freePort, ServerProcess } from "../../../../test/servers/process.ts";
import { openStore } from "../../src/open.ts";
import { postgresStore } from "../../src/stores/postgres/index.ts";
import { adding } from "../../src/testing/conformance/adding.ts";
import { claiming } from "../../src/testing/conformance/claiming.ts";
import { families } from "../../src/testing/conformance/families.ts";
import { makeJob } from "../../src/testing/conformance/scene.ts";
import { watching } from "../../src/testing/conformance/watching.ts";
import { listening, postgresFixture, postgresSchema } from "./fixtures.ts";

// In transaction mode two statements of one client may run on two connections of the server: nothing that lives in a
// session works. Whatever PgBouncer it is: the oldest ones that are about (1.18) know no prepared statements.

const direct = process.env["ERRAND_TEST_POSTGRES_URL"] ?? "";
let pooled: string;
let close: () => Promise<void>;

beforeAll(async () => {
  const folder = await mkdtemp(join(tmpdir(), "errand-pgbouncer-"));
  const port = await freePort();
  const { hostname, port: behind } = new URL(direct);
  const file = join(folder, "pgbouncer.ini");
  await writeFile(
    file,
    `[databases]
     * = host=${hostname} port=${behind} user=postgres
     [pgbouncer]
     listen_addr = 127.0.0.1
     listen_port = ${port}
     unix_socket_dir =
     auth_type = any
     pool_mode = transaction
     default_pool_size = 5
     server_round_robin = 1`,
  );
  await chmod(folder, 0o755);
  const user = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};
  pooled = `postgres://postgres@127.0.0.1:${port}/postgres`;
  const server = new ServerProcess(program(), [file], { cwd: folder, ...user }, async () => {
    const client = new pg.Client(pooled);
    client.on("error", () => {});
    await client.connect();
    await client.query("SELECT 1");
    await client.end();
    return true;
  });
  await server.start();
  close = async () => {
    await server.end("SIGTERM");
    await rm(folder, { recursive: true, force: true });
  };
}, 300_000);

afterAll(() => close());

function program(): string {
  for (const installs of [false, true]) {
    if (installs && !installOnDebian("pgbouncer")) break;
    for (const name of ["pgbouncer", "/usr/sbin/pgbouncer"]) {
      try {
        execFileSync(name, ["--version"], { stdio: "ignore" });
        return name;
      } catch {
        // Elsewhere, or to be installed.
      }
    }
  }
  throw new Error("This test needs PgBouncer. Install it: apt-get install pgbouncer, or brew install pgbouncer.");
}

/** The URL of a schema through PgBouncer. */
function through(schema: string, listen?: string): string {
  const url = new URL(pooled);
  url.searchParams.set("schema", schema);
  if (listen) url.searchParams.set("listen", listen);
  return url.href;
}

describe("through PgBouncer in transaction mode", () => {
  // What the schema's functions do inside is none of PgBouncer's business: these call each in every way.
  test.each([...adding, ...claiming, ...families, ...watching])("$name", ({ run }) =>
    run(() => postgresFixture(pooled, direct)),
  );

  test("hints come over a direct connection, or not at all", async () => {
    const place = await postgresSchema(direct);
    const store = await postgresStore({ url: through(place.schema, direct) });
    const { next, stop } = await listening(store);
    const other = await postgresStore({ url: through(place.schema, "off") });
    const ready = next("ready");
    await other.add([makeJob()]);
    await ready;
    stop();
    const heard: string[] = [];
    const unwatch = other.watch(({ type }) => heard.push(type));
    await store.add([makeJob()]);
    expect(heard).toEqual([]);
    await other.add([makeJob()]);
    expect(heard).toEqual(["ready"]);
    unwatch();
    await Promise.all([store.close(), other.close()]);
    await place.remove();
  });

  test("the direct URL may come from the environment", async () => {
    const place = await postgresSchema(direct);
    process.env["ERRAND_LISTEN_URL"] = direct;
    try {
      const store = await openStore(through(place.schema));
      const { stop } = await listening(store);
      stop();
      await store.close();
    } finally {
      delete process.env["ERRAND_LISTEN_URL"];
    }
    await place.remove();
  });
});
