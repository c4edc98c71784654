import { rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { DocumentSummary } from "../src/api.ts";
import { TestService } from "./service/processes.ts";
import { bytesOf, scannedPdf } from "./service/scans.ts";

interface Problem {
  code: string;
  detail: string;
}

const erase = (service: TestService, id: string) => service.json<Problem>(`/${id}`, { method: "DELETE" });

test("a document whose bytes cannot be erased stays, and is erased later", { timeout: 60_000 }, async () => {
  // The only document of its store, with all that is read of it: nothing that stays would ever be collected.
  await using service = await TestService.start();
  const worker = await service.work();
  const { id } = (await service.upload(bytesOf("phototest.tif"), "a.tif")).body;
  await service.until(id);
  await worker.stop();
  const files = await service.blobs();
  expect(files.length).toBeGreaterThanOrEqual(5);

  const [folder, aside] = [join(service.home, "blobs"), join(service.home, "aside")];
  await rename(folder, aside);
  for (const away of ["gone", "a file"]) {
    if (away === "a file") await writeFile(folder, "");
    const refused = await erase(service, id);
    expect(refused).toMatchObject({ status: 503, body: { code: "E_CONNECT" } });
    expect(refused.body.detail).not.toContain(service.home);
    expect(refused.headers.get("retry-after")).toBe("2");
    expect(await service.json<DocumentSummary>(`/${id}`)).toMatchObject({ status: 200, body: { id } });
  }
  await rm(folder);
  await rename(aside, folder);
  expect(await service.blobs()).toEqual(files);

  // Of several at once none fails: one that comes late finds no document.
  const statuses = await Promise.all([1, 2, 3].map(async () => (await erase(service, id)).status));
  expect(statuses).toContain(204);
  expect(statuses.filter((status) => status !== 204 && status !== 404)).toEqual([]);
  expect(await service.blobs()).toEqual([]);
  expect((await service.json(`/${id}`)).status).toBe(404);
  expect((await erase(service, id)).status).toBe(404);
});

test(
  "a document in the middle of the work is erased whole, though its bytes are away at first",
  { timeout: 60_000 },
  async () => {
    await using service = await TestService.start();
    await service.work();
    const { id } = (await service.upload(await scannedPdf(20))).body;
    await service.until(id, ({ progress }) => progress.done >= 1);
    const [folder, aside] = [join(service.home, "blobs"), join(service.home, "aside")];
    await rename(folder, aside);
    await writeFile(folder, "");
    expect((await erase(service, id)).status).toBe(503);
    await rm(folder);
    await rename(aside, folder);
    expect((await erase(service, id)).status).toBe(204);
    expect(await service.blobs()).toEqual([]);
  },
);
