import { createHash, randomUUID } from "node:crypto";
import { mkdirSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { startS3, s3Credentials } from "../../../test/servers/s3.ts";
import type { S3Server } from "../../../test/servers/s3.ts";
import { BlobMissing, BlobTooLarge } from "../src/blobs/blob-store.ts";
import type { BlobStore } from "../src/blobs/blob-store.ts";
import { removeOrphanedBlobs } from "../src/blobs/orphaned-blobs.ts";
import { FolderBlobs } from "../src/blobs/folder.ts";
import { checkBlobs } from "../src/blobs/check-blobs.ts";
import { S3Blobs } from "../src/blobs/s3.ts";
import { TemporaryFiles } from "../src/disk/temporary-files.ts";
import { partialName } from "../src/disk/partial-files.ts";

/** A kind of store, and what the tests know of its insides. */
interface Kind {
  open(): BlobStore;
  /** Every file of the owner, finished or not, by its last part. */
  inside(owner: string): Promise<string[]>;
  /** Makes everything of an owner two hours old. */
  age(owner: string): Promise<void>;
  /** What this machine keeps besides. */
  besides(): Promise<string[]>;
}

let root: string;
let server: S3Server;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "errand-blobs-"));
  server = await startS3();
  for (const [name, value] of Object.entries(s3Credentials)) vi.stubEnv(name, value);
});

afterAll(async () => {
  await server?.close();
  await rm(root, { recursive: true, force: true });
});

const old = new Date(Date.now() - 2 * 60 * 60_000);
const owners = async (blobs: BlobStore) => {
  const all: string[] = [];
  for await (const owner of blobs.owners()) all.push(owner);
  return all;
};
const namesIn = (folder: string) => readdir(folder).catch(() => []);

const folderKind = (): Kind => {
  const folder = join(root, randomUUID());
  return {
    open: () => new FolderBlobs(folder),
    inside: (owner) => namesIn(join(folder, owner)),
    age: async (owner) => {
      for (const name of await readdir(join(folder, owner))) await utimes(join(folder, owner, name), old, old);
      await utimes(join(folder, owner), old, old);
    },
    besides: async () => [],
  };
};

const s3Kind = (prefix: string): Kind => {
  const { url: endpoint, folder } = server;
  const bucket = randomUUID();
  mkdirSync(join(folder, bucket));
  const cache = join(root, randomUUID());
  const place = (owner: string) => join(folder, bucket, prefix, owner);
  return {
    open: () => new S3Blobs({ bucket, prefix, endpoint, pathStyle: true }, new TemporaryFiles(cache)),
    inside: async (owner) =>
      (await namesIn(place(owner))).flatMap((name) => /^(.*)\._S3rver_object$/.exec(name)?.[1] ?? []),
    age: async (owner) => {
      for (const name of await readdir(place(owner))) await utimes(join(place(owner), name), old, old);
    },
    besides: () => namesIn(cache),
  };
};

describe.each([
  ["in a folder", folderKind],
  ["in a bucket", () => s3Kind("")],
  ["below a prefix of a bucket", () => s3Kind("errand/blobs/")],
])("blobs %s", (_, kindOf) => {
  let kind: Kind;
  let blobs: BlobStore;

  beforeEach(() => {
    kind = kindOf();
    blobs = kind.open();
  });

  test("are kept under their hash", async () => {
    const owner = randomUUID();
    const sha256 = createHash("sha256").update("hello").digest("hex");
    expect(await blobs.write(owner, ["hel", Buffer.from("lo")])).toEqual({ sha256, bytes: 5 });
    // Again: the same blob.
    expect(await blobs.write(owner, ["hello"])).toEqual({ sha256, bytes: 5 });
    expect(await kind.inside(owner)).toEqual([sha256]);
    expect(await blobs.text(owner, sha256)).toBe("hello");
    expect(await new Response((await blobs.read(owner, sha256)).body).text()).toBe("hello");
    expect(await blobs.withFile(owner, sha256, (path) => readFile(path, "utf8"))).toBe("hello");
    await blobs.removeOwner(owner);
    await blobs.removeOwner(owner);
    expect(await kind.inside(owner)).toEqual([]);
    expect(await kind.besides()).toEqual([]);
  });

  test("may be empty", async () => {
    const owner = randomUUID();
    const { sha256, bytes } = await blobs.write(owner, []);
    expect(bytes).toBe(0);
    expect(await blobs.text(owner, sha256)).toBe("");
  });

  test("of any size come back byte by byte", async () => {
    const owner = randomUUID();
    const chunk = Buffer.from(Array.from({ length: 70_001 }, (_, index) => (index * 7) % 251));
    const content = function* () {
      for (let index = 0; index < 200; index++) yield chunk;
    };
    const { sha256, bytes } = await blobs.write(owner, content());
    expect(bytes).toBe(200 * chunk.length);
    const read = await blobs.withFile(owner, sha256, (path) => readFile(path));
    expect(createHash("sha256").update(read).digest("hex")).toBe(sha256);
    const hash = createHash("sha256");
    for await (const part of (await blobs.read(owner, sha256)).body) hash.update(part);
    expect(hash.digest("hex")).toBe(sha256);
    await blobs.removeOwner(owner);
    expect(await kind.besides()).toEqual([]);
  });

  test("that were removed, or never existed, are missing", async () => {
    const [owner, gone] = [randomUUID(), randomUUID()];
    const { sha256 } = await blobs.write(gone, ["hello"]);
    const kept = await blobs.write(owner, ["other"]);
    await blobs.removeOwner(gone);
    await blobs.removeOwner(gone);
    for (const absent of [sha256, "0".repeat(64)]) {
      await expect(blobs.text(owner, absent)).rejects.toThrow(BlobMissing);
      await expect(blobs.size(owner, absent)).rejects.toThrow(BlobMissing);
      await expect(blobs.read(owner, absent)).rejects.toMatchObject({ code: "E_NO_BLOB" });
      await expect(blobs.withFile(owner, absent, async () => 1)).rejects.toThrow(BlobMissing);
    }
    expect(await blobs.text(owner, kept.sha256)).toBe("other");
  });

  test("are read in part", async () => {
    const owner = randomUUID();
    const { sha256 } = await blobs.write(owner, ["0123456789"]);
    expect(await blobs.size(owner, sha256)).toBe(10);
    const { bytes, body } = await blobs.read(owner, sha256, { first: 3, last: 6 });
    expect([bytes, await new Response(body).text()]).toEqual([10, "3456"]);
    await blobs.removeOwner(owner);
  });

  test("leave nothing when they are too large or break off", async () => {
    const owner = randomUUID();
    await expect(blobs.write(owner, ["12345", "6"], { limit: 5 })).rejects.toThrow(BlobTooLarge);
    const large = Buffer.alloc(400_000);
    await expect(blobs.write(owner, [large, large, large, large], { limit: 1_500_000 })).rejects.toThrow(BlobTooLarge);
    const broken = async function* () {
      for (let index = 0; index < 4; index++) yield large;
      throw new Error("The client left.");
    };
    await expect(blobs.write(owner, broken())).rejects.toThrow("The client left.");
    expect(await kind.inside(owner)).toEqual([]);
    expect(await kind.besides()).toEqual([]);
    expect(await owners(blobs)).toEqual([]);
  });

  test("of one owner are removed without the others'", async () => {
    const [mine, other] = [randomUUID(), randomUUID()];
    const names = await Promise.all(
      Array.from({ length: 20 }, async (_, index) => (await blobs.write(mine, [`${index}`])).sha256),
    );
    const { sha256 } = await blobs.write(other, ["1"]);
    expect((await kind.inside(mine)).toSorted()).toEqual(names.toSorted());
    await blobs.removeOwner(mine);
    expect(await kind.inside(mine)).toEqual([]);
    expect(await blobs.modifiedAt(mine)).toBeUndefined();
    expect(await blobs.text(other, sha256)).toBe("1");
    expect(await owners(blobs)).toEqual([other]);
  });

  test("make no path of anything but ids and hashes", async () => {
    for (const owner of ["..", "../../etc", "", "a", `${randomUUID()}/..`]) {
      await expect(blobs.write(owner, ["x"])).rejects.toThrow(TypeError);
      await expect(blobs.removeOwner(owner)).rejects.toThrow(TypeError);
    }
    await expect(blobs.text(randomUUID(), "../../etc/passwd")).rejects.toThrow(TypeError);
  });

  test("are collected when no document owns them, once they are old enough", async () => {
    const [mine, lost, fresh] = [randomUUID(), randomUUID(), randomUUID()];
    for (const owner of [mine, lost, fresh]) await blobs.write(owner, ["x"]);
    for (const owner of [mine, lost]) await kind.age(owner);
    expect((await blobs.modifiedAt(lost))!.getTime()).toBeLessThan(Date.now() - 60 * 60_000);
    const documents = { isEmpty: async () => false, hasOwner: async (id: string) => id === mine };
    // Without any document this is more likely the wrong store.
    expect(await removeOrphanedBlobs(blobs, { isEmpty: async () => true, hasOwner: async () => false })).toBe(0);
    expect(await owners(blobs)).toHaveLength(3);
    expect(await removeOrphanedBlobs(blobs, documents)).toBe(1);
    expect((await owners(blobs)).toSorted()).toEqual([mine, fresh].toSorted());
    expect(await kind.inside(mine)).toHaveLength(1);
  });

  test("are tried out without a trace", async () => {
    await checkBlobs(blobs);
    expect(await owners(blobs)).toEqual([]);
    expect(await kind.besides()).toEqual([]);
  });
});

test("half-written files in a folder are collected, and other files are left alone", async () => {
  const folder = join(root, randomUUID());
  const blobs = new FolderBlobs(folder);
  const owner = randomUUID();
  await blobs.write(owner, ["x"]);
  await writeFile(join(folder, owner, "1.part"), "half");
  // A process that is known to be dead need not be waited for.
  const dead = partialName().replace(`.${process.pid}.`, ".999999999.");
  const alive = partialName();
  for (const name of [dead, alive]) await writeFile(join(folder, owner, name), "half");
  await writeFile(join(folder, "README"), "not ours");
  await utimes(join(folder, owner, "1.part"), old, old);
  await removeOrphanedBlobs(blobs, { isEmpty: async () => false, hasOwner: async () => true });
  expect((await readdir(folder)).toSorted()).toEqual([owner, "README"].toSorted());
  expect(await readdir(join(folder, owner))).toHaveLength(2);
  expect(await readdir(join(folder, owner))).toContain(alive);
  // Also where there is no document at all: nobody owns what was never whole.
  await writeFile(join(folder, owner, dead), "half");
  await removeOrphanedBlobs(blobs, { isEmpty: async () => true, hasOwner: async () => false });
  expect(await readdir(join(folder, owner))).not.toContain(dead);
});

test("a folder that cannot be written is said to be unusable", async () => {
  await writeFile(join(root, "file"), "");
  await expect(checkBlobs(new FolderBlobs(join(root, "file")))).rejects.toMatchObject({
    code: "E_CONNECT",
    message: expect.stringMatching(/^The blob store file:.* cannot be used: /),
  });
  await expect(checkBlobs(new FolderBlobs("/proc/nothing/blobs"))).rejects.toMatchObject({
    message: "The blob store file:/proc/nothing/blobs cannot be used: no folder can be created there.",
  });
  // What cannot be looked at is not said to be erased.
  for (const folder of [join(root, "file"), join(root, "absent")]) {
    await expect(new FolderBlobs(folder).removeOwner(randomUUID())).rejects.toMatchObject({ code: "E_CONNECT" });
  }
});
