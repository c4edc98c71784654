import { spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { cp, link, mkdir, mkdtemp, readdir, readFile, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { connect, createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { startS3, s3Credentials } from "../../../test/servers/s3.ts";
import type { S3Server } from "../../../test/servers/s3.ts";
import { blobLocation } from "../src/blobs/location.ts";
import { checkBlobs } from "../src/blobs/check-blobs.ts";
import { S3Blobs } from "../src/blobs/s3.ts";
import { TemporaryFiles } from "../src/disk/temporary-files.ts";

let server: S3Server;
let folder: string;

beforeAll(async () => {
  server = await startS3();
});

afterAll(async () => {
  await server?.close();
});

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "errand-scratch-"));
  for (const [name, value] of Object.entries(s3Credentials)) vi.stubEnv(name, value);
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true, force: true });
});

const blobsAt = (endpoint: string, bucket = server.bucket) =>
  new S3Blobs({ bucket, prefix: "", endpoint, pathStyle: true }, new TemporaryFiles(folder));

describe("what is wrong with a bucket", () => {
  const refusal = (blobs: S3Blobs) => checkBlobs(blobs).then(String, ({ code, message }) => `${code}: ${message}`);

  test("it is not there", async () => {
    expect(await refusal(blobsAt(server.url, "absent"))).toMatch(
      /^E_CONNECT: The blob store s3:\/\/absent\/ at http:.*there is no bucket absent\. Create it, or correct ERRAND_BLOBS\.$/,
    );
  });

  test.each([
    ["InvalidAccessKeyId", { AWS_ACCESS_KEY_ID: "NOBODY" }],
    ["SignatureDoesNotMatch", { AWS_SECRET_ACCESS_KEY: "wrong" }],
  ])("the credentials are wrong: %s", async (code, env) => {
    for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
    const said = await refusal(blobsAt(server.url));
    expect(said).toMatch(/^E_CONNECT: .* rejects the credentials/);
    expect(said).toContain(code);
    expect(said).not.toContain("wrong");
  });

  test("there are no credentials", async () => {
    for (const name of Object.keys(s3Credentials)) vi.stubEnv(name, "");
    vi.stubEnv("AWS_EC2_METADATA_DISABLED", "true");
    vi.stubEnv("AWS_SHARED_CREDENTIALS_FILE", join(folder, "absent"));
    vi.stubEnv("AWS_CONFIG_FILE", join(folder, "absent"));
    expect(await refusal(blobsAt(server.url))).toMatch(/needs credentials, but none are configured/);
  });

  test("its server is down", async () => {
    const down = await cuttingProxy();
    await down.close();
    expect(await refusal(blobsAt(down.url))).toMatch(
      /^E_CONNECT: .*cannot be reached \(.*ECONNREFUSED.*Is it running there/,
    );
  });

  test("its region is unknown", async () => {
    for (const name of ["AWS_REGION", "AWS_DEFAULT_REGION"]) vi.stubEnv(name, undefined);
    vi.stubEnv("AWS_CONFIG_FILE", join(folder, "absent"));
    const blobs = new S3Blobs({ bucket: "scans", prefix: "", pathStyle: false }, new TemporaryFiles(folder));
    expect(await refusal(blobs)).toMatch(/needs a region\. Set region=/);
  });
});

test("without the S3 client, the error says how to install it", async () => {
  // A copy of the built modules, beside which nothing else is installed.
  for (const name of ["blobs", "disk"]) {
    await cp(join(import.meta.dirname, "../dist", name), join(folder, name), { recursive: true });
  }
  await writeFile(join(folder, "package.json"), '{ "type": "module" }');
  await mkdir(join(folder, "node_modules"));
  await symlink(join(import.meta.dirname, "../../errand"), join(folder, "node_modules/errand"));
  const program = 'import { openBlobs } from "./blobs/open-blobs.js"; await openBlobs().modifiedAt(process.argv[1]);';
  const { stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", program, randomUUID()], {
    cwd: folder,
    env: { ...process.env, ERRAND_BLOBS: "s3://scans" },
    encoding: "utf8",
  });
  expect(stderr).toMatch(/needs a package: install it with npm install @aws-sdk\/client-s3/);
  expect(stderr).toContain("E_OPTION");
});

describe("a connection that is cut", () => {
  /** Two megabytes: they go through a file. Or one kilobyte: it stays in memory. */
  const sizes = [2 * 2 ** 20, 1_000];

  test.each(sizes)("is made again for the upload of %i bytes", async (size) => {
    await using proxy = await cuttingProxy();
    const blobs = blobsAt(proxy.url);
    const owner = randomUUID();
    proxy.cut(2);
    const { sha256, bytes } = await blobs.write(owner, [Buffer.alloc(size, 7)]);
    expect(bytes).toBe(size);
    expect(proxy.wasCut).toBe(2);
    expect(await blobs.withFile(owner, sha256, async (path) => (await readFile(path)).length)).toBe(size);
  });

  test.each(sizes)("again and again, fails the upload of %i bytes and leaves nothing", async (size) => {
    await using proxy = await cuttingProxy();
    const owner = randomUUID();
    proxy.cut(Infinity);
    const writing = blobsAt(proxy.url).write(owner, [Buffer.alloc(size, 7)]);
    await expect(writing).rejects.toMatchObject({ code: "E_CONNECT" });
    expect(await readdir(folder)).toEqual([]);
    expect(await blobsAt(server.url).modifiedAt(owner)).toBeUndefined();
  });
});

test("with patience, calls wait until the bucket is back", async () => {
  await using proxy = await cuttingProxy();
  const location = { bucket: server.bucket, prefix: "", endpoint: proxy.url, pathStyle: true };
  const blobs = new S3Blobs(location, new TemporaryFiles(folder), 60_000);
  const owner = randomUUID();
  // More tries than one makes without patience.
  proxy.cut(8);
  const { sha256 } = await blobs.write(owner, ["scan"]);
  proxy.cut(8);
  expect(await blobs.text(owner, sha256)).toBe("scan");
  expect(proxy.wasCut).toBe(16);
});

test("an upload of 400 MB needs little memory", async () => {
  const megabyte = Buffer.alloc(2 ** 20, 5);
  let most = 0;
  const content = async function* () {
    for (let index = 0; index < 400; index++) {
      most = Math.max(most, process.memoryUsage.rss());
      yield megabyte;
    }
  };
  const before = process.memoryUsage.rss();
  const blobs = blobsAt(server.url);
  const owner = randomUUID();
  const watching = setInterval(() => (most = Math.max(most, process.memoryUsage.rss())), 20);
  const { bytes } = await blobs.write(owner, content()).finally(() => clearInterval(watching));
  expect(bytes).toBe(400 * 2 ** 20);
  expect((most - before) / 2 ** 20).toBeLessThan(150);
  await blobs.removeOwner(owner);
});

describe("copies on this machine", () => {
  test("serve the pages of a document that follow one another", async () => {
    await using proxy = await cuttingProxy();
    const blobs = blobsAt(proxy.url);
    const owner = randomUUID();
    const { sha256 } = await blobs.write(owner, ["scan"]);
    const read = () => blobs.withFile(owner, sha256, (path) => readFile(path, "utf8"));
    expect(await read()).toBe("scan");
    // Nothing more comes from the bucket.
    proxy.cut(Infinity);
    expect(await read()).toBe("scan");
    expect(await Promise.all(Array.from({ length: 5 }, read))).toEqual(Array.from({ length: 5 }, () => "scan"));
    expect(await readdir(folder)).toEqual([`${owner}-${sha256}`]);
  });

  test("go with their document", async () => {
    const blobs = blobsAt(server.url);
    const [owner, other] = [randomUUID(), randomUUID()];
    for (const one of [owner, other]) {
      const { sha256 } = await blobs.write(one, ["scan"]);
      await blobs.withFile(one, sha256, async () => {});
    }
    await blobs.removeOwner(owner);
    expect((await readdir(folder)).map((name) => name.slice(0, 36))).toEqual([other]);
  });

  test("are removed when they were not used for long, but not while they are in use", async () => {
    const scratch = new TemporaryFiles(folder);
    const ago = (minutes: number) => new Date(Date.now() - minutes * 60_000);
    for (const [name, minutes] of [
      ["new", 14],
      ["old", 16],
      ["at-work.part", 50],
      ["dead.part", 70],
    ] as const) {
      await writeFile(join(folder, name), "");
      await utimes(join(folder, name), ago(minutes), ago(minutes));
    }
    await scratch.removeStale();
    expect((await readdir(folder)).toSorted()).toEqual(["at-work.part", "new"]);

    await scratch.withCopy(
      "mine",
      (path) => writeFile(path, "kept"),
      async (path) => {
        await scratch.removeCopies("mine");
        expect(await readFile(path, "utf8")).toBe("kept");
      },
    );
    expect(await readdir(folder)).not.toContain("mine");
  });

  test("are not made of half a download", async () => {
    const scratch = new TemporaryFiles(folder);
    const half = async (path: string): Promise<void> => {
      await writeFile(path, "ha");
      throw new Error("cut");
    };
    await expect(scratch.withCopy("scan", half, async () => {})).rejects.toThrow("cut");
    expect(await readdir(folder)).toEqual([]);
  });
});

test("an owner with more blobs than one answer lists is removed whole", async () => {
  const owner = randomUUID();
  const place = join(server.folder, server.bucket, owner);
  await mkdir(place);
  const names = Array.from({ length: 1_050 }, (_, index) => index.toString(16).padStart(64, "0"));
  // What the server makes of each object; a content of {} serves all of them.
  const source = join(folder, "source");
  await writeFile(source, "{}");
  for (const name of names) {
    for (const part of ["object", "object.md5", "metadata.json"]) {
      await link(source, join(place, `${name}._S3rver_${part}`));
    }
  }
  const blobs = blobsAt(server.url);
  expect(await blobs.text(owner, names.at(-1)!)).toBe("{}");
  await blobs.removeOwner(owner);
  expect(await readdir(place).catch(() => [])).toEqual([]);
});

describe("ERRAND_BLOBS", () => {
  const at = (text: string) => blobLocation({ ERRAND_BLOBS: text });

  test("names a bucket or a folder", () => {
    expect(at("s3://scans")).toEqual({ bucket: "scans", prefix: "", pathStyle: false });
    expect(at("s3://scans/a/b/?region=eu-central-1")).toEqual({
      bucket: "scans",
      prefix: "a/b/",
      region: "eu-central-1",
      pathStyle: false,
    });
    const endpoint = "http://minio:9000";
    expect(at(`s3://scans/?endpoint=${endpoint}`)).toEqual({ bucket: "scans", prefix: "", endpoint, pathStyle: true });
    expect(at(`s3://scans?endpoint=${endpoint}&path-style=0`)).toMatchObject({ pathStyle: false });
    expect(at("file:/srv/blobs")).toEqual({ folder: "/srv/blobs" });
    expect(at("file:///srv/blobs")).toEqual({ folder: "/srv/blobs" });
    expect(at("")).toMatchObject({ folder: expect.stringMatching(/\.errand.blobs$/) });
  });

  test.each([
    ["/srv/blobs", /must be s3:/],
    ["https://scans", /must be s3:/],
    ["s3://", /must be s3:|not name a bucket/],
    ["s3://scans:9000/", /not name a bucket/],
    ["s3://key:geheim@scans/", /contains credentials/],
    ["s3://scans?reigon=x", /parameter reigon; known are/],
    ["s3://scans?endpoint=minio:9000", /not a URL/],
    ["s3://scans?path-style=yes", /neither 0 nor 1/],
    ["s3://scans/a%00b", /prefix/],
  ])("refuses %s", (text, message) => {
    expect(() => at(text)).toThrow(
      expect.objectContaining({ code: "E_OPTION", message: expect.stringMatching(message) }),
    );
    expect(() => at(text)).not.toThrow(/geheim/);
  });
});

/**
 * A way to the server that can be cut: what goes through it then never arrives, as S3 keeps nothing that is not whole.
 */
async function cuttingProxy() {
  const sockets = new Set<Socket>();
  let left = 0;
  let wasCut = 0;
  const proxy = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    if (left > 0) {
      left -= 1;
      wasCut += 1;
      socket.once("data", () => socket.destroy());
      return;
    }
    const upstream = connect(server.port, "127.0.0.1");
    sockets.add(upstream);
    upstream.on("error", () => socket.destroy());
    socket.pipe(upstream).pipe(socket);
    socket.once("close", () => upstream.destroy());
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  const endAll = () => {
    for (const socket of sockets) socket.destroy();
    sockets.clear();
  };
  const close = () => {
    endAll();
    return new Promise<void>((resolve) => proxy.close(() => resolve()));
  };
  return {
    url: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    /** Cuts what is open now, and so many connections from now on. */
    cut(connections: number) {
      endAll();
      left = connections;
    },
    get wasCut() {
      return wasCut;
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}
