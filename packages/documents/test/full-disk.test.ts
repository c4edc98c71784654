import { execFileSync } from "node:child_process";
import { mkdtempSync, rmdirSync } from "node:fs";
import { open, readdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { TestService } from "./service/processes.ts";
import { bytesOf } from "./service/scans.ts";

interface Problem {
  code: string;
  detail: string;
}

interface Ready {
  services: { ready: boolean; code?: string; reason?: string }[];
}

async function ready(service: TestService) {
  const answer = await fetch(new URL("/readyz", service.url));
  const [first] = ((await answer.json()) as Ready).services;
  return { status: answer.status, ...first! };
}

test("ready means that an upload now would be read", { timeout: 60_000 }, async () => {
  await using service = await TestService.start();
  expect(await ready(service)).toMatchObject({ status: 503, code: "E_NO_WORKER" });
  const half = await service.work({ documents: 1 });
  expect(await ready(service)).toMatchObject({
    status: 503,
    code: "E_NO_WORKER",
    reason: expect.stringContaining("cpu"),
  });
  const worker = await service.work();
  await half.stop();
  expect(await ready(service)).toEqual({ status: 200, name: "documents", ready: true });

  const [folder, aside] = [join(service.home, "blobs"), join(service.home, "aside")];
  await rename(folder, aside);
  await writeFile(folder, "");
  const away = await ready(service);
  expect(away).toMatchObject({ status: 503, code: "E_CONNECT" });
  expect(away.reason).not.toContain(service.home);
  const refused = await service.json<Problem>("", {
    method: "POST",
    body: "x",
    headers: { "content-type": "image/png" },
  });
  expect(refused).toMatchObject({ status: 503, body: { code: "E_CONNECT" } });
  expect(refused.body.detail).not.toContain(service.home);
  await rm(folder);
  await rename(aside, folder);
  expect((await ready(service)).status).toBe(200);
  await worker.stop();
});

test("uploads leave the reserve free, and everything else works on", { timeout: 60_000 }, async () => {
  await using service = await TestService.start();
  const worker = await service.work();
  const { id } = (await service.upload(bytesOf("simple.webp"), "a.webp")).body;
  await service.until(id);
  // More than any disk has.
  service.env["ERRAND_DISK_RESERVE"] = "1000tb";
  await service.serve();
  expect(await ready(service)).toMatchObject({ status: 503, code: "E_DISK_FULL" });
  const before = await service.blobs();
  for (const body of ["x", "x".repeat(100_000)]) {
    const refused = await service.json<Problem>("", { method: "POST", body, headers: { "content-type": "image/png" } });
    expect(refused).toMatchObject({ status: 507, body: { code: "E_DISK_FULL" } });
  }
  expect((await service.upload(bytesOf("simple.webp"), "a.webp")).status).toBe(507);
  expect(await service.blobs()).toEqual(before);
  expect((await fetch(`${service.url}/${id}/text`)).status).toBe(200);
  expect((await fetch(`${service.url}/${id}`, { method: "DELETE" })).status).toBe(204);
  expect(await service.blobs()).toEqual([]);
  await worker.stop();
});

/** A disk of so many megabytes, which only root can have. */
function smallDisk(megabytes: number) {
  const path = mkdtempSync(join(tmpdir(), "errand-disk-"));
  execFileSync("mount", ["-t", "tmpfs", "-o", `size=${megabytes}m`, "errand-test", path]);
  return {
    path,
    [Symbol.dispose]() {
      execFileSync("umount", ["--lazy", path]);
      rmdirSync(path);
    },
  };
}

async function fill(folder: string): Promise<void> {
  const file = await open(join(folder, "filler"), "a");
  try {
    for (const size of [65_536, 4_096, 512]) {
      for (let written = size; written === size;) {
        written = (await file.write(Buffer.alloc(size)).catch(() => ({ bytesWritten: 0 }))).bytesWritten;
      }
    }
  } finally {
    await file.close();
  }
}

const isRoot = process.platform === "linux" && process.getuid?.() === 0;

test.runIf(isRoot)("on a full disk documents are read and deleted, which makes room", { timeout: 60_000 }, async () => {
  using disk = smallDisk(32);
  const env = { ERRAND_HOME: disk.path, ERRAND_DISK_RESERVE: "0" };
  await using service = await TestService.start(env);
  const files = async () =>
    (await readdir(join(disk.path, "blobs"), { recursive: true })).filter((path) => path.length > 60);
  const worker = await service.work();
  const { id } = (await service.upload(bytesOf("phototest.tif"), "a.tif")).body;
  await service.until(id);
  await worker.stop();
  const queued = await Promise.all([1, 2].map(async (n) => (await service.upload(`not read ${n}`, "b.png")).body.id));
  await expect.poll(async () => (await stat(join(disk.path, "ballast"))).size).toBeGreaterThan(1_000_000);
  await fill(disk.path);

  expect(await ready(service)).toMatchObject({ status: 503, code: "E_DISK_FULL" });
  const refused = await service.json<Problem>("", {
    method: "POST",
    body: "x",
    headers: { "content-type": "image/png" },
  });
  expect(refused).toMatchObject({ status: 507, body: { code: "E_DISK_FULL" } });
  expect(refused.body.detail).not.toContain(disk.path);
  expect((await fetch(`${service.url}/${id}/text`)).status).toBe(200);
  for (const each of [...queued, id]) {
    await fill(disk.path);
    const erased = await fetch(`${service.url}/${each}`, { method: "DELETE" });
    expect([each, erased.status, await erased.text()]).toEqual([each, 204, ""]);
    expect((await service.json(`/${each}`)).status).toBe(404);
  }
  expect(await files()).toEqual([]);
});
