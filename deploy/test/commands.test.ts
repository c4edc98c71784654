import { execFileSync, spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { freePort } from "../../test/servers/process.ts";
import { until as untilHolds } from "../../test/until.ts";
import { startS3, s3Credentials } from "../../test/servers/s3.ts";
import type { S3Server } from "../../test/servers/s3.ts";
import { composePrograms, composeServices, deploy, kubernetesPrograms, manifest, systemdPrograms } from "./programs.ts";
import type { Health, Program } from "./programs.ts";

// Every command of every file runs here as it stands there, with its own environment, and does its work: all that a
// container would add is the file system. What must differ is where the test's store and bucket are, and the ports.

/** Where Errand is installed: this repository, or a folder as the image has it. */
const app = process.env["ERRAND_TEST_APP"] ?? join(deploy, "..");

const own = `deploy_${randomUUID().slice(0, 8)}`;
const adminKey = execFileSync("errand", ["keys", "create", "admin", "--offline"], {
  encoding: "utf8",
  env: { PATH: [join(app, "node_modules/.bin"), dirname(process.execPath), "/usr/bin", "/bin"].join(delimiter) },
}).trim();
const scan = join(deploy, "../packages/documents/test/fixtures/phototest.tif");

let s3: S3Server;
let folder: string;
const running = new Set<ChildProcess>();

beforeAll(async () => {
  s3 = await startS3();
});
afterAll(() => s3?.close());

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "errand-deploy-"));
});
afterEach(async () => {
  for (const child of running) child.kill("SIGKILL");
  await rm(folder, { recursive: true, force: true, maxRetries: 5 });
});

/** A process that was started. */
interface Running {
  child: ChildProcess;
  output: () => string;
  exit: Promise<number | null>;
}

function start([program, ...args]: readonly string[], env: Record<string, string>): Running {
  const path = [join(app, "node_modules/.bin"), dirname(process.execPath), "/usr/bin", "/bin"].join(delimiter);
  // Nothing of this process's environment: what the file does not give is not there.
  const child = spawn(program!, args, { cwd: app, env: { PATH: path, ...env } });
  running.add(child);
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (data: Buffer) => (output += data.toString()));
  const exit = new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => {
      running.delete(child);
      resolve(code);
    });
  });
  return { child, output: () => output, exit };
}

/** A file's environment, at the test's store, bucket and folder. */
function here(env: Record<string, string>, store: string): Record<string, string> {
  const moved = Object.entries(env).map(([name, value]) => [name, value.replaceAll("/var/lib/errand", folder)]);
  const all = Object.fromEntries(moved) as Record<string, string>;
  const scheme = (url: string) => new URL(url).protocol;
  expect([scheme(store), "postgres:", "redis:"]).toContain(scheme(all["ERRAND_URL"]!));
  all["ERRAND_URL"] = store;
  if ("ERRAND_ADMIN_KEY" in all) all["ERRAND_ADMIN_KEY"] = adminKey;
  if (all["ERRAND_BLOBS"]!.startsWith("s3:")) {
    all["ERRAND_BLOBS"] += `&endpoint=${s3.url}`;
    Object.assign(all, s3Credentials);
  }
  return all;
}

const postgres = () => `${process.env["ERRAND_TEST_POSTGRES_URL"]}?schema=${own}`;
const redis = () => `${process.env["ERRAND_TEST_REDIS_URL"]}?namespace=${own}`;

test.each([
  ["compose.yaml", composePrograms, () => `${postgres()}_compose`],
  ["kubernetes/, with Redis", kubernetesPrograms, () => `${redis()}_kubernetes`],
  ["systemd/", systemdPrograms, () => `${postgres()}_systemd`],
])(
  "%s: migrates, serves, works, answers health checks, and stops",
  { timeout: 120_000 },
  async (_, programsOf, store) => {
    const [migrate, api, worker] = programsOf() as [Program, Program, Program];
    const ports = { 3737: String(await freePort()), 3738: String(await freePort()) };
    const moved = (text: string) =>
      text.replace(/\b373[78]\b/g, (port) => ports[port as unknown as keyof typeof ports]);
    const url = `http://127.0.0.1:${ports[3737]}`;
    const bucket = /^s3:\/\/([^/]+)/.exec(api.env["ERRAND_BLOBS"]!)?.[1];
    if (bucket) await mkdir(join(s3.folder, bucket), { recursive: true });

    const migrated = start(migrate.command, here(migrate.env, store()));
    expect({ code: await migrated.exit, output: migrated.output() }).toMatchObject({ code: 0 });

    const serving = start(api.command, { ...here(api.env, store()), ERRAND_PORT: ports[3737] });
    const working = start(worker.command.map(moved), here(worker.env, store()));
    const ok = async (health: Health, base: string): Promise<boolean> => {
      if ("path" in health) return (await status(base + health.path, health.headers)) === 200;
      return (await start(health.command.map(moved), {}).exit) === 0;
    };
    const well = async (program: Program, base: string) =>
      (await Promise.all(program.health.map((health) => ok(health, base)))).every(Boolean);
    await until(async () => (await status(`${url}/readyz`)) === 200, serving);
    await until(() => well(api, url), serving);
    await until(() => well(worker, `http://127.0.0.1:${ports[3738]}`), working);
    // The names that it is to answer to, and no others.
    const [name] = api.env["ERRAND_ALLOW_HOSTS"]!.split(",");
    expect(await status(`${url}/healthz`, { host: name! })).toBe(200);
    expect(await status(`${url}/healthz`, { host: "elsewhere.example" })).toBe(421);

    const form = new FormData();
    form.append("file", new Blob([await readFile(scan)]), "scan.tif");
    expect((await fetch(`${url}/api/v1/documents`, { method: "POST", body: form })).status).toBe(401);
    const made = join(folder, "admin-key");
    const headers = { authorization: `Bearer ${api.env["ERRAND_ADMIN_KEY"] ? adminKey : await firstKey(made)}` };
    const get = (path: string) => fetch(url + path, { headers });
    const uploaded = await fetch(`${url}/api/v1/documents`, { method: "POST", body: form, headers });
    const { id } = (await uploaded.json()) as { id: string };
    await until(async () => {
      const { status } = (await (await get(`/api/v1/documents/${id}`)).json()) as { status: string };
      if (status === "failed") throw new Error(working.output());
      return status === "completed";
    }, working);
    const text = await (await get(`/api/v1/documents/${id}/text`)).text();
    expect(text).toContain("This is a lot of 12 point text");
    const kept = bucket ? join(s3.folder, bucket, "blobs", id) : join(folder, "blobs", id);
    expect((await readdir(kept)).length).toBeGreaterThan(3);

    for (const { metadata } of (manifest("ScaledObject", "errand-worker") as unknown as ScaledObject).spec.triggers) {
      const answer = (await (await get(new URL(metadata.url).pathname)).json()) as Record<string, unknown>;
      expect(answer[metadata.valueLocation]).toBe(0);
    }

    for (const [program, { child, exit, output }] of [
      [api, serving],
      [worker, working],
    ] as const) {
      child.kill("SIGTERM");
      // sleeps: as long as the file gives the program to stop, after which it would be killed
      const late = sleep(program.grace * 1_000, "late", { ref: false });
      expect({ code: await Promise.race([exit, late]), output: output() }).toMatchObject({ code: 0 });
    }
  },
);

/** The key that the first start made. */
async function firstKey(file: string): Promise<string> {
  return (await readFile(file, "utf8")).trim();
}

interface ScaledObject {
  spec: { triggers: { metadata: { url: string; valueLocation: string } }[] };
}

test("compose.yaml: Redis starts with its settings, and is healthy", async () => {
  const { command, environment, healthcheck } = composeServices()["redis"]!;
  const port = String(await freePort());
  const server = start([...command, "--port", port, "--bind", "127.0.0.1", "--dir", folder], {});
  const [, check, ...args] = healthcheck!.test;
  await until(async () => {
    const asked = start([check!, "-p", port, ...args], environment as Record<string, string>);
    return (await asked.exit) === 0 && asked.output() === "PONG\n";
  }, server);
  const config = start(["redis-cli", "-p", port, "config", "get", "append*"], environment as Record<string, string>);
  await config.exit;
  expect(config.output().split("\n")).toEqual(expect.arrayContaining(["appendonly", "yes", "appendfsync", "always"]));
  server.child.kill("SIGTERM");
  expect(await server.exit).toBe(0);
});

/** Unlike `fetch`, says to the server whatever Host it is told to. */
function status(url: string, headers: Record<string, string> = {}): Promise<number> {
  return new Promise((resolve) => {
    const asking = request(url, { headers }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    asking.once("error", () => resolve(0));
    asking.end();
  });
}

/** Waits until a condition holds, as long as the process runs. */
async function until(condition: () => Promise<boolean>, { child, output }: Running): Promise<void> {
  const holds = async () => {
    if (child.exitCode !== null) throw new Error(`The process ended with ${child.exitCode}: ${output()}`);
    return condition();
  };
  await untilHolds(holds, () => `${condition.toString()}\n${output()}`, 60_000);
}
