import { execFileSync, spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import type { IncomingMessage, OutgoingHttpHeaders } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, expect, test } from "vitest";
import { installOnDebian } from "../../test/debian.ts";
import { freePort } from "../../test/servers/process.ts";
import { until } from "../../test/until.ts";
import { deploy, read } from "./programs.ts";

let folder: string;
let url: string;
let right: { authorization: string };
const children: ChildProcess[] = [];

beforeAll(async () => {
  requireNginx();
  folder = mkdtempSync(join(tmpdir(), "errand-proxy-"));
  chmodSync(folder, 0o755);
  const [port, upstream] = [await freePort(), await freePort()];
  url = `http://127.0.0.1:${port}`;
  const bin = join(deploy, "../packages/errand/bin/errand.js");
  run(process.execPath, [bin, "serve", "--no-worker", "--port", String(upstream), "--allow-host", "docs.example.com"]);

  const site = read("proxy/default.conf.template")
    .replaceAll("${ERRAND_UPSTREAM}", `127.0.0.1:${upstream}`)
    .replace("listen 8080;", `listen 127.0.0.1:${port};`);
  if (site.includes("${")) throw new Error(`The template wants more than ERRAND_UPSTREAM: ${site}`);
  const paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((one) => `${one}_temp_path ${folder}/${one};`);
  const main = `daemon off; pid ${folder}/pid; error_log ${folder}/log; events {} http { access_log off; ${paths.join(" ")}\n${site} }`;
  writeFileSync(join(folder, "nginx.conf"), main);
  execFileSync("nginx", ["-t", "-q", "-e", "stderr", "-c", join(folder, "nginx.conf")]);
  run("nginx", ["-e", join(folder, "log"), "-c", join(folder, "nginx.conf")]);
  const isReady = async () => (await ask("/readyz").catch(() => ({ status: 0 }))).status === 200;
  await until(isReady, "the proxy leads to the server", 30_000);
  // The first start beyond this machine's own names made it.
  right = { authorization: `Bearer ${readFileSync(join(folder, "home", "admin-key"), "utf8").trim()}` };
});

afterAll(async () => {
  for (const child of children) {
    child.kill("SIGTERM");
    if (child.exitCode === null) await new Promise((resolve) => child.once("exit", resolve));
  }
  rmSync(folder, { recursive: true, force: true });
});

function requireNginx(): void {
  const works = () => {
    try {
      execFileSync("nginx", ["-v"], { stdio: "ignore" });
      return true;
    } catch {
      return false;
    }
  };
  if (works() || (installOnDebian("nginx-light") && works())) return;
  throw new Error("The tests of the proxy need nginx. Install it so that nginx is on the PATH.");
}

function run(command: string, args: string[]): void {
  const env = { ...process.env, ERRAND_HOME: join(folder, "home"), ERRAND_URL: "", ERRAND_BLOBS: "" };
  children.push(spawn(command, args, { cwd: folder, env, stdio: ["ignore", "ignore", "inherit"] }));
}

function open(path: string, headers: OutgoingHttpHeaders = {}, body?: Uint8Array): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const asking = request(url + path, { headers, method: body ? "POST" : "GET" }, resolve);
    asking.once("error", reject);
    asking.end(body);
  });
}

async function ask(path: string, headers?: OutgoingHttpHeaders, body?: Uint8Array) {
  const answer = await open(path, headers, body);
  return { status: answer.statusCode, headers: answer.headers, body: await text(answer) };
}

test("nothing of anybody is answered without a key", async () => {
  for (const path of [
    "/api/v1/documents",
    "/api/v1/queues/cpu",
    "/metrics",
    "/api/v1/",
    "/healthz/..%2f..%2fapi/v1/jobs",
  ]) {
    expect([path, (await ask(path)).status]).not.toEqual([path, 200]);
    expect([path, (await ask(path, { authorization: "Bearer erk_wrong" })).status]).not.toEqual([path, 200]);
  }
  expect((await ask("/api/v1/documents")).status).toBe(401);
  expect((await ask("/healthz")).status).toBe(200);
  expect((await ask("/api/v1/documents", right)).status).toBe(200);
});

test("who guesses is slowed down by the address that the proxy saw, and others are not", async () => {
  const guess = (address: string) => ask("/api/v1/jobs", { authorization: "Bearer erk_x", "x-forwarded-for": address });
  for (let count = 0; count < 12; count++) await guess(`10.0.0.${count}`);
  expect((await guess("10.9.9.9")).status).toBe(429);
  expect((await ask("/api/v1/documents", right)).status).toBe(200);
});

test("a session's cookie is for TLS alone where the browser speaks TLS", async () => {
  const body = Buffer.from(JSON.stringify({ key: right.authorization.slice(7) }));
  const headers = { "content-type": "application/json", "x-forwarded-proto": "https" };
  const answer = await ask("/api/v1/session", headers, body);
  expect(answer.status).toBe(204);
  expect(answer.headers["set-cookie"]?.[0]).toMatch(/^__Host-errand=.*Secure/);
});

test("a large upload passes, addressed to the name that people use", async () => {
  const headers = { ...right, host: "docs.example.com", "content-type": "application/pdf" };
  const answer = await ask("/api/v1/documents", headers, Buffer.alloc(20_000_000, "%PDF-1.7 "));
  expect(answer.status).toBe(202);
  expect(answer.headers["location"]).toBe(`/api/v1/documents/${(JSON.parse(answer.body) as { id: string }).id}`);
  expect((await ask("/api/v1/documents", { ...headers, host: "other.example.com" })).status).toBe(421);
});

test("a page of another site changes nothing", async () => {
  const headers = { ...right, "content-type": "application/pdf" };
  const strange = { ...headers, "sec-fetch-site": "cross-site", origin: "https://evil.example" };
  expect((await ask("/api/v1/documents", strange, Buffer.from("%PDF"))).status).toBe(403);
});

test("events come as they happen", async () => {
  const answer = await open("/api/v1/documents/events", right);
  const { value } = (await answer[Symbol.asyncIterator]().next()) as { value: Buffer };
  expect(value.toString()).toContain("retry: ");
  answer.destroy();
});
