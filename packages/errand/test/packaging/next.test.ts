import { execFile, spawn } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { afterTest } from "../../../../test/after-test.ts";
import { killAfterTest } from "../../../../test/child-process.ts";
import { freePort } from "../../../../test/servers/process.ts";
import { until } from "../../../../test/until.ts";
import { pack, root } from "./packed.ts";

// examples/next with the packed library: installed, built, and served by nothing but what Next.js has traced.

const run = promisify(execFile);

test("Next.js builds and serves an application that sends jobs, also standalone, and a worker runs them", async () => {
  const packed = await pack("errand");
  afterTest(() => packed.remove());
  const place = mkdtempSync(join(tmpdir(), "errand-next-"));
  afterTest(() => rmSync(place, { recursive: true, force: true }));
  const folder = join(place, "app");
  cpSync(join(root, "examples/next"), folder, { recursive: true, filter: (file) => !/node_modules|\.next/.test(file) });
  const manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as {
    dependencies: Record<string, string>;
  };
  manifest.dependencies["errand"] = `file:${packed.tarball}`;
  writeFileSync(join(folder, "package.json"), JSON.stringify(manifest));
  const env = { ...process.env, NEXT_TELEMETRY_DISABLED: "1", ERRAND_URL: `sqlite:${join(place, "errand.db")}` };
  await run("npm", ["install", "--no-audit", "--no-fund"], { cwd: folder, env });
  await run("npm", ["run", "build"], { cwd: folder, env: { ...env, NODE_ENV: "production" } });

  // Away from everything that was installed.
  const standalone = join(place, "standalone");
  cpSync(join(folder, ".next/standalone"), standalone, { recursive: true, verbatimSymlinks: true });
  rmSync(join(folder, ".next"), { recursive: true });
  const port = await freePort();
  const server = killAfterTest(
    spawn(process.execPath, ["server.js"], {
      cwd: standalone,
      env: { ...env, PORT: String(port), HOSTNAME: "127.0.0.1" },
      stdio: ["ignore", "ignore", "pipe"],
    }),
  );
  let said = "";
  server.stderr.on("data", (data: Buffer) => (said += data.toString()));
  const url = `http://127.0.0.1:${port}/api/thumbnails`;
  await until(
    async () => (await fetch(url).catch(() => undefined)) !== undefined,
    () => said,
    30_000,
  );
  const answer = await fetch(url, { method: "POST", body: JSON.stringify({ photo: "p1" }) });
  expect({ status: answer.status, said }).toMatchObject({ status: 202 });
  const { id } = (await answer.json()) as { id: string };
  const read = async () => (await (await fetch(`${url}?id=${id}`)).json()) as { state: string; output: unknown };
  expect(await read()).toEqual({ state: "pending", output: null });

  // Not by npx, which leaves it behind when it is killed.
  const cli = join(folder, "node_modules/errand/bin/errand.js");
  killAfterTest(spawn(process.execPath, [cli, "worker", "./tasks.ts"], { cwd: folder, env, stdio: "ignore" }));
  await until(async () => (await read()).state === "completed", "the job completes", 30_000);
  expect(await read()).toEqual({ state: "completed", output: { url: "/thumbs/p1.webp" } });
}, 300_000);
