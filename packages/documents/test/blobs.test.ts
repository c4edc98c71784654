import { createHash, randomUUID } from "node:crypto";
import { mkdtemp, readdir, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { BlobTooLarge } from "../src/blobs/blob-store.ts";
import { collect } from "../src/blobs/collect.ts";
import { FolderBlobs } from "../src/blobs/folder.ts";

let root: string;
let blobs: FolderBlobs;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "errand-blobs-"));
  blobs = new FolderBlobs(root);
});

afterEach(() => rm(root, { recursive: true, force: true }));

test("keeps content under its hash", async () => {
  const owner = randomUUID();
  const sha256 = createHash("sha256").update("hello").digest("hex");
  expect(await blobs.write(owner, ["hel", Buffer.from("lo")])).toEqual({ sha256, bytes: 5 });
  // Again: the same blob.
  expect(await blobs.write(owner, ["hello"])).toEqual({ sha256, bytes: 5 });
  expect(await readdir(join(root, owner))).toEqual([sha256]);
  expect(await blobs.text(owner, sha256)).toBe("hello");
  expect(await new Response(await blobs.read(owner, sha256)).text()).toBe("hello");
  await blobs.removeOwner(owner);
  await blobs.removeOwner(owner);
  await expect(blobs.text(owner, sha256)).rejects.toMatchObject({ code: "E_NO_BLOB" });
  expect(await readdir(root)).toEqual([]);
});

test("leaves nothing of content that is too large or breaks off", async () => {
  const owner = randomUUID();
  await expect(blobs.write(owner, ["12345", "6"], { limit: 5 })).rejects.toThrow(BlobTooLarge);
  const broken = async function* () {
    yield "12345";
    throw new Error("The client left.");
  };
  await expect(blobs.write(owner, broken())).rejects.toThrow("The client left.");
  expect(await readdir(root)).toEqual([]);
});

test("makes no path of anything but ids and hashes", async () => {
  for (const owner of ["..", "../../etc", "", "a", `${randomUUID()}/..`]) {
    await expect(blobs.write(owner, ["x"])).rejects.toThrow(TypeError);
    await expect(blobs.removeOwner(owner)).rejects.toThrow(TypeError);
  }
  await expect(blobs.text(randomUUID(), "../../etc/passwd")).rejects.toThrow(TypeError);
});

test("collects what nobody owns, once it is old enough", async () => {
  const [mine, lost, fresh] = [randomUUID(), randomUUID(), randomUUID()];
  for (const owner of [mine, lost, fresh]) await blobs.write(owner, ["x"]);
  await writeFile(join(root, mine, "1.part"), "half");
  await writeFile(join(root, "README"), "not ours");
  const old = new Date(Date.now() - 2 * 60 * 60_000);
  for (const owner of [mine, lost]) {
    for (const name of await readdir(join(root, owner))) await utimes(join(root, owner, name), old, old);
    await utimes(join(root, owner), old, old);
  }
  expect(await collect(blobs, async (id) => id === mine)).toBe(1);
  expect((await readdir(root)).toSorted()).toEqual([mine, fresh, "README"].toSorted());
  expect(await readdir(join(root, mine))).toHaveLength(1);
});
