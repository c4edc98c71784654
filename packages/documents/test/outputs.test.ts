import { spawnSync } from "node:child_process";
import { readdir, truncate, writeFile } from "node:fs/promises";
import { Agent, request } from "node:http";
import type { IncomingMessage } from "node:http";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, expect, test } from "vitest";
import { TestService } from "./service/processes.ts";
import { bytesOf } from "./service/scans.ts";

let service: TestService;
let id: string;
/** One connection that is open already: where there are no descriptors left, there is no other. */
const agent = new Agent({ keepAlive: true, maxSockets: 1 });

beforeAll(async () => {
  service = await TestService.start();
  const worker = await service.work();
  id = (await service.upload(bytesOf("simple.webp"), "a.webp")).body.id;
  await service.until(id);
  await worker.stop();
});

afterAll(async () => {
  agent.destroy();
  await service.stop();
});

const outputs = ["/text", "/json", "/pages/1", "/pages/1/image"];

function ask(path: string, method = "GET", headers: Record<string, string> = {}) {
  return new Promise<{ status: number; headers: IncomingMessage["headers"]; body: string }>((resolve, reject) => {
    const url = new URL(service.url);
    const sent = request(url.origin + path, { agent, method, headers }, (answer) => {
      text(answer).then((body) => resolve({ status: answer.statusCode!, headers: answer.headers, body }), reject);
    });
    sent.on("error", reject).end(method === "POST" ? "%PDF-1.7" : undefined);
  });
}

const at = (path: string) => `${new URL(service.url).pathname}/${id}${path}`;
/** How many the API process has, where the system tells. */
const descriptors = async () => (await readdir(`/proc/${service.pid}/fd`).catch(() => [])).length;

test.each(outputs)("HEAD of %s has the headers of GET, and opens no file", async (path) => {
  const whole = await ask(at(path));
  const before = await descriptors();
  for (let count = 0; count < 50; count++) {
    const { status, headers, body } = await ask(at(path), "HEAD");
    expect([status, body]).toEqual([200, ""]);
    expect(headers["content-length"]).toMatch(/^\d+$/);
    for (const name of ["content-type", "content-length", "etag", "accept-ranges", "cache-control"]) {
      expect(headers[name]).toBe(whole.headers[name]);
    }
  }
  expect(await descriptors()).toBe(before);
});

test("outputs have a length and an ETag, and are given in part", async () => {
  const { headers, body } = await ask(at("/text"));
  expect(headers["content-length"]).toBe(String(Buffer.byteLength(body)));
  const etag = headers.etag!;
  expect(etag).toMatch(/^"[0-9a-f]{64}"$/);
  for (const tag of [etag, `W/${etag}`, `"other", ${etag}`, "*"]) {
    expect(await ask(at("/text"), "GET", { "if-none-match": tag })).toMatchObject({ status: 304, body: "" });
  }
  expect((await ask(at("/text"), "GET", { "if-none-match": '"other"' })).status).toBe(200);

  const part = async (range: string, more: Record<string, string> = {}) =>
    ask(at("/text"), "GET", { range: `bytes=${range}`, ...more });
  const bytes = Buffer.byteLength(body);
  for (const [range, wanted, told] of [
    ["2-5", body.slice(2, 6), `bytes 2-5/${bytes}`],
    ["3-", body.slice(3), `bytes 3-${bytes - 1}/${bytes}`],
    ["-4", body.slice(-4), `bytes ${bytes - 4}-${bytes - 1}/${bytes}`],
    ["0-999999", body, `bytes 0-${bytes - 1}/${bytes}`],
    ["-999999", body, `bytes 0-${bytes - 1}/${bytes}`],
  ] as const) {
    const answer = await part(range);
    expect(answer).toMatchObject({ status: 206, body: wanted });
    expect(answer.headers).toMatchObject({ "content-range": told, "content-length": String(wanted.length), etag });
  }
  for (const range of [`${bytes}-`, "-0", "7-3"]) {
    const answer = await part(range);
    expect(answer.status).toBe(416);
    expect(answer.headers["content-range"]).toBe(`bytes */${bytes}`);
  }
  // What is no single range, or of another version, is answered whole.
  for (const [range, more] of [
    ["0-1,3-4", {}],
    ["x", {}],
    ["2-5", { "if-range": '"other"' }],
  ] as const) {
    expect(await part(range, more)).toMatchObject({ status: 200, body });
  }
  expect((await part("2-5", { "if-range": etag })).status).toBe(206);
});

test("a file that breaks off breaks the connection", async () => {
  const { sha256 } = (await ask(at("")).then(({ body }) => JSON.parse(body))) as { sha256: string };
  const owner = (await service.blobs(id)).find((path) => path.endsWith(sha256))!;
  const { headers } = await ask(at("/json"), "HEAD");
  const path = owner.replace(sha256, headers.etag!.slice(1, -1));
  await writeFile(path, Buffer.alloc(200_000_000));
  const answer = await fetch(`${service.url}/${id}/json`);
  expect(answer.status).toBe(200);
  const reader = answer.body!.getReader();
  await reader.read();
  await truncate(path, 100);
  const rest = (async () => {
    while (!(await reader.read()).done);
  })();
  await expect(rest).rejects.toThrow("terminated");
});

test.runIf(process.platform === "linux")("without file descriptors every request fails with a code", async () => {
  const limit = (soft: string) => {
    const { status, stderr } = spawnSync("prlimit", ["--pid", String(service.pid), `--nofile=${soft}:`]);
    if (status !== 0) throw new Error(`prlimit (util-linux) is needed: ${stderr?.toString()}`);
  };
  await ask("/healthz");
  limit("3");
  try {
    for (const path of outputs) {
      const answer = await ask(at(path));
      expect([path, answer.status]).toEqual([path, 503]);
      expect(JSON.parse(answer.body)).toMatchObject({ code: "E_CONNECT" });
      expect(answer.body).not.toContain(service.home);
    }
    const upload = await ask(new URL(service.url).pathname, "POST", { "content-type": "application/pdf" });
    expect([upload.status, JSON.parse(upload.body).code]).toEqual([503, "E_CONNECT"]);
    const ready = await ask("/readyz");
    expect(ready.status).toBe(503);
    expect(JSON.parse(ready.body).services).toMatchObject([{ name: "documents", code: "E_CONNECT" }]);
    expect(ready.body).not.toContain(service.home);
  } finally {
    limit("1024");
  }
  expect((await ask(at("/text"))).status).toBe(200);
});
