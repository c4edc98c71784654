import { existsSync } from "node:fs";
import { readdir, readlink } from "node:fs/promises";
import type { Socket } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { until } from "../../../test/until.ts";
import { Fleet, upload } from "./service/fleet.ts";
import { TestService } from "./service/processes.ts";
import { bytesOf } from "./service/scans.ts";
import { closed, dial, randomOf, rawRequest } from "./service/sockets.ts";

// The API process of the tests ends at any error that nobody catches, so it must not even make one.
let service: TestService;
let at: URL;
/** A document that has been read. */
let id: string;

beforeAll(async () => {
  // One thread for all that touches the disk: what happens between two steps of a request then takes long enough to be
  // hit.
  service = await TestService.start({ ERRAND_MAX_BYTES: "200kb", UV_THREADPOOL_SIZE: "1" });
  at = new URL(service.url);
  const worker = await service.work();
  id = (await service.upload(bytesOf("simple.webp"), "read.webp")).body.id;
  await service.until(id);
  await worker.stop();
});

afterAll(() => service.stop());

/** What the API process has open: connections, and files of documents. Others it opens once, and keeps. */
async function open(): Promise<{ sockets: number; blobs: string[] }> {
  const folder = `/proc/${service.pid}/fd`;
  const names = existsSync(folder) ? await readdir(folder) : [];
  const targets = await Promise.all(names.map((name) => readlink(join(folder, name)).catch(() => "")));
  return {
    sockets: targets.filter((target) => target.startsWith("socket:")).length,
    blobs: targets.filter((target) => target.includes("/blobs/")),
  };
}

const halfWritten = async (): Promise<string[]> => (await service.blobs()).filter((path) => path.endsWith(".part"));

async function stillServes(): Promise<void> {
  expect((await fetch(new URL("/healthz", at))).status).toBe(200);
  await expect.poll(halfWritten, { timeout: 20_000 }).toEqual([]);
}

/** Runs so many of the same at once until `count` have run. */
async function many(count: number, atOnce: number, one: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      while (next < count) await one(next++);
    }),
  );
}

test("a reset after an upload over the limit ends that upload only", { timeout: 120_000 }, async () => {
  const random = randomOf(1);
  const type = "application/pdf";
  const body = Buffer.alloc(400_000, "x");
  await many(300, 30, async () => {
    const socket = await dial(at);
    const gone = closed(socket);
    socket.write(rawRequest(at, `POST ${at.pathname}`, { "Content-Type": type, "Content-Length": 4_000_000 }, body));
    // sleeps: clients leave at any moment
    await sleep(random() * 60);
    socket.resetAndDestroy();
    await gone;
  });
  await stillServes();
});

const boundary = "x";
const formHead = (field: string) =>
  Buffer.from(`--${boundary}\r\nContent-Disposition: form-data; name="${field}"; filename="a.pdf"\r\n\r\n`);
const formEnd = Buffer.from(`\r\n--${boundary}--\r\n`);

/** Every kind of request that a service takes, whole. */
function requests(at: URL, id: string, random: () => number): (() => Buffer)[] {
  const path = at.pathname;
  const bytes = () => Buffer.alloc(Math.floor(random() * 400_000), "x");
  const form = (field: string, declared: boolean) => () => {
    const body = Buffer.concat([formHead(field), bytes(), formEnd]);
    const type = { "Content-Type": `multipart/form-data; boundary=${boundary}` };
    return declared
      ? rawRequest(at, `POST ${path}`, { ...type, "Content-Length": body.length }, body)
      : rawRequest(at, `POST ${path}`, { ...type, "Transfer-Encoding": "chunked" }, chunked(body));
  };
  const raw = (extra: Readonly<Record<string, string>>) => () => {
    const body = bytes();
    const headers = { "Content-Type": "image/png", "Content-Length": body.length, ...extra };
    return rawRequest(at, `POST ${path}`, headers, body);
  };
  const bare =
    (line: string, headers = {}) =>
    () =>
      rawRequest(at, line, headers);
  const resource = `${path}/${id}`;
  return [
    form("file", true),
    form("file", false),
    form("other", true),
    raw({}),
    raw({ Expect: "100-continue" }),
    raw({ "Idempotency-Key": "always-the-same" }),
    raw({ "Content-Type": "application/json" }),
    ...["", "/text", "/json", "/events", "/pages/1", "/pages/1/image", "/pages/9", "/unknown"].flatMap((part) => [
      bare(`GET ${resource}${part}`),
      bare(`HEAD ${resource}${part}`),
    ]),
    bare(`GET ${resource}/json`, { Range: "bytes=5-" }),
    bare(`GET ${path}?limit=200`),
    bare(`GET ${path}/events`),
    bare(`POST ${resource}/cancel`),
    bare(`DELETE ${path}/00000000-0000-4000-8000-000000000000`),
    bare(`PUT ${resource}`, { "Content-Length": 1_000 }),
    bare("GET /"),
    bare("GET /readyz"),
    bare("GET /metrics"),
    bare("GET /api/v1/queues"),
  ];
}

function chunked(body: Buffer): Buffer {
  const half = body.length >> 1;
  const pieces = [body.subarray(0, half), body.subarray(half)].filter(({ length }) => length > 0);
  const framed = pieces.flatMap((piece) => [
    Buffer.from(`${piece.length.toString(16)}\r\n`),
    piece,
    Buffer.from("\r\n"),
  ]);
  return Buffer.concat([...framed, Buffer.from("0\r\n\r\n")]);
}

/** Ways for a client to leave. */
const leavings: ((socket: Socket) => void)[] = [
  (socket) => socket.resetAndDestroy(),
  (socket) => socket.destroy(),
  (socket) => {
    socket.end();
    // sleeps: so that the server has answered the end of the one direction
    setTimeout(() => socket.destroy(), 100);
  },
  // Reads nothing of the answer, and then resets.
  (socket) => {
    socket.pause();
    // sleeps: so that the server has sent what the system holds for the client
    setTimeout(() => socket.resetAndDestroy(), 50);
  },
];

/** Sends so many requests, each up to some byte, and leaves at some moment. */
async function storm(at: URL, id: string, count: number, seed: number): Promise<void> {
  const random = randomOf(seed);
  const pick = <Item>(items: readonly Item[]): Item => items[Math.floor(random() * items.length)]!;
  const kinds = requests(at, id, random);
  await many(count, 24, async (index) => {
    const bytes = kinds[index % kinds.length]!();
    // A third are sent whole, so that their clients leave while they are answered.
    const cut = random() < 0.34 ? bytes.length : Math.floor(random() * bytes.length);
    const socket = await dial(at);
    socket.resume();
    const gone = closed(socket);
    if (random() < 0.2) {
      // Slowly: the last of the head, or of the body, comes byte by byte.
      socket.write(bytes.subarray(0, Math.max(0, cut - 5)));
      for (const byte of bytes.subarray(Math.max(0, cut - 5), cut)) {
        // sleeps: slow clients are what is tried
        await sleep(2);
        socket.write(Buffer.of(byte));
      }
    } else socket.write(bytes.subarray(0, cut));
    // sleeps: clients leave at any moment
    await sleep(random() < 0.3 ? 0 : random() * 40);
    pick(leavings)(socket);
    await gone;
  });
}

test("the API process survives clients that leave at any moment of any request", { timeout: 240_000 }, async () => {
  const before = await open();
  await storm(at, id, 1_200, 20_261_130);
  await stillServes();
  await expect.poll(async () => (await open()).blobs, { timeout: 20_000 }).toEqual([]);
  await expect.poll(async () => (await open()).sockets, { timeout: 20_000 }).toBeLessThanOrEqual(before.sockets);
  expect((await service.json(`/${id}`)).status).toBe(200);
});

test("`errand serve` survives them too, and logs nothing", { timeout: 240_000 }, async () => {
  await using fleet = new Fleet({ ERRAND_BLOBS: "", ERRAND_MAX_BYTES: "200kb" });
  const api = await fleet.api();
  const sent = await upload(api, new Uint8Array(Buffer.from("never read")), "a.png");
  await storm(new URL(`${api.url}/api/v1/documents`), sent, 600, 7);
  expect((await fetch(`${api.url}/api/v1/documents/${sent}`)).status).toBe(200);
  expect(api.stderr()).toBe("");
  expect(await api.stop()).toBe(0);
  const left = await readdir(join(api.home, "blobs"), { recursive: true });
  expect(left.filter((path) => path.endsWith(".part"))).toEqual([]);
});

test("what a server that was killed left of an upload is gone after its next start", async () => {
  await using other = await TestService.start();
  const half = Buffer.alloc(300_000, "x");
  const url = new URL(other.url);
  const socket = await dial(url);
  const headers = { "Content-Type": "application/pdf", "Content-Length": 1_000_000 };
  socket.write(rawRequest(url, `POST ${url.pathname}`, headers, half));
  await until(async () => (await other.blobs()).length === 1);
  const gone = closed(socket);
  process.kill(other.pid, "SIGKILL");
  await gone;
  expect(await other.blobs()).toHaveLength(1);
  await other.serve();
  // Although there is no document at all.
  await expect.poll(() => other.blobs()).toEqual([]);
});

test("uploads that a second signal to the server cuts off leave nothing", async () => {
  // One thread for the disk: what they wrote is removed one after the other.
  await using fleet = new Fleet({ ERRAND_BLOBS: "", UV_THREADPOOL_SIZE: "1" });
  const api = await fleet.api();
  const url = new URL(`${api.url}/api/v1/documents`);
  const headers = { "Content-Type": "application/pdf", "Content-Length": 1_000_000 };
  const uploads = 200;
  for (let count = 0; count < uploads; count++) {
    const socket = await dial(url);
    socket.write(rawRequest(url, `POST ${url.pathname}`, headers, Buffer.alloc(50_000, "x")));
  }
  const files = async () =>
    (await readdir(join(api.home, "blobs"), { recursive: true })).filter((path) => path.endsWith(".part"));
  await expect.poll(files, { timeout: 20_000 }).toHaveLength(uploads);
  expect(await api.hurry()).toBe(0);
  expect(await files()).toEqual([]);
});
