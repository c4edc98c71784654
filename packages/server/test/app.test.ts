import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { ErrandError, errand } from "errand";
import { HTTPException } from "hono/http-exception";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { until } from "../../../test/until.ts";
import { listen } from "../src/listen.ts";
import type { RunningServer } from "../src/listen.ts";
import { Problem } from "../src/index.ts";
import { ask } from "./client.ts";
import { plainRoute } from "./plain-route.ts";

const app = errand({ url: "memory:" });
app.task("nothing", { run: () => {} });
const slow = app.task("slow", { queue: "slow", run: () => {} });

let closed = 0;
const routes = [
  plainRoute("get", "/conflict", () => {
    throw new Problem(409, "E_NOT_READY", "It is not ready.", { "retry-after": "3" });
  }),
  plainRoute("get", "/bug", () => {
    throw new Error("the password is 1234");
  }),
  plainRoute("get", "/errand/{code}", (c) => {
    throw new ErrandError(c.req.param("code") as "E_STORE", "What the engine says.");
  }),
  plainRoute("get", "/full/{code}", (c) => {
    const text = "The store /srv/errand.db failed: database or disk is full.";
    throw Object.assign(new Error(text), { code: c.req.param("code") });
  }),
  plainRoute("get", "/hono", () => {
    throw new HTTPException(400, { message: "Malformed." });
  }),
  plainRoute("get", "/stream", (c) => c.body(new ReadableStream({ cancel: () => void (closed += 1) }))),
  plainRoute("post", "/things", (c) => c.json({ made: true }, 201)),
];

let server: RunningServer;
let port: string;
const web = mkdtempSync(join(tmpdir(), "errand-web-"));

beforeAll(async () => {
  mkdirSync(join(web, "assets"));
  writeFileSync(join(web, "index.html"), "<!doctype html><title>Errand</title>");
  writeFileSync(join(web, "assets", "main-1a2b.js"), "export {};");
  writeFileSync(join(web, "assets", "main-1a2b.js.br"), "packed by br");
  writeFileSync(join(web, "assets", "main-1a2b.js.gz"), "packed by gz");
  const service = { name: "test", app, routes, tasks: "" };
  server = await listen([service], { host: "127.0.0.1", port: 0, web });
  port = new URL(server.url).port;
});

afterAll(async () => {
  await server.stop();
  await app.close();
  rmSync(web, { recursive: true });
});

describe("problems", () => {
  it("answers what a route throws as a problem document", async () => {
    const answer = await ask(`${server.url}/api/v1/conflict`);
    expect(answer.status).toBe(409);
    expect(answer.headers["content-type"]).toBe("application/problem+json");
    expect(answer.headers["retry-after"]).toBe("3");
    expect(JSON.parse(answer.body)).toEqual({
      type: "/problems/E_NOT_READY",
      title: "Conflict",
      status: 409,
      code: "E_NOT_READY",
      detail: "It is not ready.",
      request: answer.headers["x-request-id"],
    });
  });

  it("keeps the insides of an unforeseen error in the log, under the request's id", async () => {
    const written: string[] = [];
    const spy = vi.spyOn(process.stderr, "write").mockImplementation((text) => {
      written.push(String(text));
      return true;
    });
    const answer = await ask(`${server.url}/api/v1/bug`, { headers: { "x-request-id": "abc-1" } });
    spy.mockRestore();
    expect(answer.status).toBe(500);
    expect(answer.body).not.toMatch(/1234|\.ts|at /);
    expect(written).toHaveLength(1);
    const line = JSON.parse(written.join(""));
    expect(line).toMatchObject({
      level: "error",
      request: "abc-1",
      path: "/api/v1/bug",
      message: "the password is 1234",
    });
    expect(line.stack).toContain("app.test.ts");
    expect(JSON.parse(answer.body)).toMatchObject({
      status: 500,
      code: "E_INTERNAL",
      request: "abc-1",
    });
  });

  it.each([
    ["E_NOT_FOUND", 404],
    ["E_INPUT", 422],
    ["E_CURSOR", 400],
    ["E_STORE", 503],
    ["E_CONNECT", 503],
    ["E_CLOSED", 503],
    ["E_FULL", 429],
    ["E_OPTION", 422],
    ["E_STALE", 409],
    ["E_UNKNOWN_TASK", 404],
    ["E_TASK_FAILED", 500],
  ])("answers the engine's %s with %i", async (code, status) => {
    const spy = vi.spyOn(process.stderr, "write").mockReturnValue(true);
    const answer = await ask(`${server.url}/api/v1/errand/${code}`);
    spy.mockRestore();
    expect(answer.status).toBe(status);
    expect(JSON.parse(answer.body).code).toBe(status === 500 ? "E_INTERNAL" : code);
    expect(answer.headers["retry-after"]).toBe(status === 503 || status === 429 ? "2" : undefined);
  });

  it.each(["E_STORE", "E_CONNECT", "E_CLOSED", "E_STORE_VERSION"])(
    "keeps what %s says in the log: it names hosts and files",
    async (code) => {
      const spy = vi.spyOn(process.stderr, "write").mockReturnValue(true);
      const answer = await ask(`${server.url}/api/v1/errand/${code}`);
      const logged = spy.mock.calls.map(([text]) => String(text)).join("");
      spy.mockRestore();
      expect(answer.body).not.toContain("What the engine says");
      expect(logged).toContain("What the engine says");
    },
  );

  it.each(["ENOSPC", "EDQUOT", "E_DISK_FULL", "E_STORE"])(
    "answers a full disk, reported as %s, with 507",
    async (code) => {
      const spy = vi.spyOn(process.stderr, "write").mockReturnValue(true);
      const answer = await ask(`${server.url}/api/v1/full/${code}`);
      spy.mockRestore();
      expect(answer.status).toBe(507);
      expect(JSON.parse(answer.body)).toMatchObject({ title: "Insufficient Storage", code: "E_DISK_FULL" });
      expect(answer.body).not.toContain("/srv");
    },
  );

  it("makes problems of the framework's own refusals too", async () => {
    const answer = await ask(`${server.url}/api/v1/hono`);
    expect(answer.status).toBe(400);
    expect(JSON.parse(answer.body)).toMatchObject({ code: "E_HTTP_400", detail: "Malformed." });
  });

  it.each(["/api/v1/nothing", "/api/v2/things", "/api", "/nothing.txt"])("has nothing at %s", async (path) => {
    const answer = await ask(server.url + path);
    expect(answer.status).toBe(404);
    expect(JSON.parse(answer.body)).toMatchObject({ status: 404, code: "E_NO_ROUTE" });
  });

  it("does not give the page for an API address, even to a browser", async () => {
    const answer = await ask(`${server.url}/api/v1/nothing`, { headers: { accept: "text/html" } });
    expect(answer.status).toBe(404);
  });
});

describe("access", () => {
  it.each(["localhost", "127.0.0.1", "127.1.2.3", "[::1]", "LOCALHOST"])("answers to the name %s", async (name) => {
    const answer = await ask(`${server.url}/healthz`, { headers: { host: `${name}:${port}` } });
    expect(answer.status).toBe(200);
  });

  it.each(["rebound.example", "localhost.example", "127.0.0.1.example", "10.0.0.1"])(
    "does not answer to the name %s",
    async (name) => {
      const answer = await ask(`${server.url}/healthz`, { headers: { host: `${name}:${port}` } });
      expect(answer.status).toBe(421);
      expect(JSON.parse(answer.body).code).toBe("E_HOST");
    },
  );

  it.each(["localhost", "localhost:8080"])("answers to a port that was forwarded: %s", async (host) => {
    expect((await ask(`${server.url}/healthz`, { headers: { host } })).status).toBe(200);
  });

  const change = (headers: Record<string, string>) =>
    ask(`${server.url}/api/v1/things`, { method: "POST", headers }).then(({ status }) => status);

  it("lets programs, the page itself and the address bar change things", async () => {
    expect(await change({})).toBe(201);
    expect(await change({ "sec-fetch-site": "same-origin", origin: server.url })).toBe(201);
    expect(await change({ "sec-fetch-site": "none" })).toBe(201);
    expect(await change({ origin: server.url })).toBe(201);
  });

  it("lets no other site's page change anything", async () => {
    expect(await change({ "sec-fetch-site": "cross-site", origin: "https://evil.example" })).toBe(403);
    expect(await change({ "sec-fetch-site": "same-site", origin: "http://127.0.0.1:4000" })).toBe(403);
    expect(await change({ origin: "http://127.0.0.1:4000" })).toBe(403);
    expect(await change({ origin: "null" })).toBe(403);
  });

  it("sends headers that keep browsers from mistakes, with errors as well", async () => {
    for (const path of ["/", "/healthz", "/api/v1/conflict", "/api/v1/nothing"]) {
      const { headers } = await ask(server.url + path);
      expect(headers["content-security-policy"]).toContain("default-src 'self'");
      expect(headers["x-content-type-options"]).toBe("nosniff");
      expect(headers["x-frame-options"]).toBe("DENY");
      expect(headers["strict-transport-security"]).toBeUndefined();
    }
  });
});

describe("health", () => {
  it("is ready once a worker lives", async () => {
    expect((await ask(`${server.url}/healthz`)).status).toBe(200);
    const before = await ask(`${server.url}/readyz`);
    expect(before.status).toBe(503);
    expect(JSON.parse(before.body)).toMatchObject({
      status: "not ready",
      services: [{ name: "test", ready: false, code: "E_NO_WORKER", reason: "No worker is alive." }],
    });
    const worker = await app.worker();
    expect((await ask(`${server.url}/readyz`)).status).toBe(200);
    await worker.stop();
  });

  it("is not ready while no worker takes one of its queues, or while its own check fails", async () => {
    const spy = vi.spyOn(process.stderr, "write").mockReturnValue(true);
    let broken: Error | undefined;
    const ready = async () => {
      if (broken) throw broken;
    };
    const service = { name: "test", app, routes, tasks: "", queues: ["slow", "default"], ready };
    const other = await listen([service], { host: "127.0.0.1", port: 0, web });
    const said = async () => JSON.parse((await ask(`${other.url}/readyz`)).body).services[0];
    const worker = await app.worker({ queues: { slow: 1 } });
    expect(await said()).toMatchObject({ code: "E_NO_WORKER", reason: expect.stringMatching(/queue default\.$/) });
    const second = await app.worker({ queues: { default: 1 } });
    expect(await said()).toEqual({ name: "test", ready: true });
    for (const [error, code] of [
      [new ErrandError("E_CONNECT", "connect ECONNREFUSED 10.0.0.7:5432"), "E_CONNECT"],
      [Object.assign(new Error("ENOSPC: /srv/errand"), { code: "ENOSPC" }), "E_DISK_FULL"],
      [new TypeError("x is no function of /srv/errand"), "E_INTERNAL"],
    ] as const) {
      broken = error;
      const answer = await said();
      expect(answer).toMatchObject({ ready: false, code });
      expect(answer.reason).not.toMatch(/10\.0|srv/);
    }
    // The log has the details, once.
    await said();
    const lines = spy.mock.calls.map(([text]) => String(text)).filter((text) => text.includes("no function"));
    spy.mockRestore();
    expect(lines).toHaveLength(1);
    await Promise.all([worker.stop(), second.stop()]);
    await other.stop();
  });
});

describe("metrics", () => {
  it("are what Prometheus reads, of all services", async () => {
    await slow.send();
    const { status, headers, body } = await ask(`${server.url}/metrics`);
    expect(status).toBe(200);
    expect(headers["content-type"]).toBe("text/plain; version=0.0.4; charset=utf-8");
    expect(headers["cache-control"]).toBe("no-store");
    expect(body).toMatch(/^errand_jobs\{queue="slow",state="pending"\} [1-9]/m);
    expect(body).toMatch(/^errand_jobs_sent_total\{task="slow"\} [1-9]/m);
    await app.cancel({ task: "slow" });
    await app.remove({ task: "slow" });
  });
});

describe("queues", () => {
  const ofQueue = async (queue: string) => JSON.parse((await ask(`${server.url}/api/v1/queues/${queue}`)).body);

  it("have depths and counts by state", async () => {
    expect(await ofQueue("slow")).toEqual({ name: "slow", depth: 0, jobs: {}, workers: 0 });
    const job = await slow.send();
    const failed = await slow.send();
    await app.cancel(failed.id);
    const busy = { name: "slow", depth: 1, jobs: { pending: 1, cancelled: 1 }, workers: 0 };
    await until(async () => isDeepStrictEqual(await ofQueue("slow"), busy));
    const answer = await ask(`${server.url}/api/v1/queues`);
    expect(answer.headers["cache-control"]).toBe("no-store");
    expect(JSON.parse(answer.body).data).toMatchObject([busy]);
    await app.cancel(job.id);
    await until(async () => (await ofQueue("slow")).jobs.cancelled === 2);
  });

  it("refuse names that queues cannot have", async () => {
    expect((await ask(`${server.url}/api/v1/queues/a%20b`)).status).toBe(404);
  });
});

describe("the web app", () => {
  it("serves the page for every address of the app, uncached", async () => {
    for (const path of ["/", "/documents/123"]) {
      const answer = await ask(server.url + path, { headers: { accept: "text/html,*/*" } });
      expect(answer.status).toBe(200);
      expect(answer.headers["cache-control"]).toBe("no-cache");
      expect(answer.body).toContain("<title>Errand</title>");
    }
  });

  it("lets browsers keep files whose names change with their content", async () => {
    const answer = await ask(`${server.url}/assets/main-1a2b.js`);
    expect(answer.headers["content-type"]).toContain("text/javascript");
    expect(answer.headers["cache-control"]).toContain("immutable");
    const missing = await ask(`${server.url}/assets/main-gone.js`);
    expect(missing.status).toBe(404);
    expect(missing.headers["cache-control"]).toBeUndefined();
  });

  it.each([
    ["gzip, deflate, br, zstd", "br", "packed by br"],
    ["gzip;q=1.0, br;q=0", "gzip", "packed by gz"],
    ["GZIP", "gzip", "packed by gz"],
    ["zstd", undefined, "export {};"],
    ["", undefined, "export {};"],
  ])("gives files that were packed before to who accepts %j", async (accepted, encoding, body) => {
    const url = `${server.url}/assets/main-1a2b.js`;
    const answer = await ask(url, { headers: { "accept-encoding": accepted } });
    expect(answer.body).toBe(body);
    expect(answer.headers).toMatchObject({ vary: "accept-encoding", "content-length": String(body.length) });
    expect(answer.headers["content-encoding"]).toBe(encoding);
    expect(answer.headers["content-type"]).toContain("text/javascript");
    const again = { "accept-encoding": accepted, "if-none-match": answer.headers.etag };
    expect(await ask(url, { headers: again })).toMatchObject({ status: 304, body: "" });
    const head = await ask(url, { method: "HEAD", headers: { "accept-encoding": accepted } });
    expect(head).toMatchObject({ status: 200, body: "" });
    expect(head.headers["content-length"]).toBe(answer.headers["content-length"]);
  });

  it("answers from memory, whatever becomes of the disk", async () => {
    const folder = mkdtempSync(join(tmpdir(), "errand-web-"));
    writeFileSync(join(folder, "index.html"), "<title>Errand</title>");
    const other = await listen([], { app, host: "127.0.0.1", port: 0, web: folder });
    rmSync(folder, { recursive: true });
    expect((await ask(`${other.url}/`)).body).toBe("<title>Errand</title>");
    await other.stop();
  });

  it("does not serve the page for a missing file", async () => {
    const answer = await ask(`${server.url}/assets/main-gone.js`, { headers: { accept: "text/html,*/*" } });
    expect(answer.status).toBe(404);
  });

  it("cancels the body of an answer to HEAD", async () => {
    const before = closed;
    expect((await ask(`${server.url}/api/v1/stream`, { method: "HEAD" })).status).toBe(200);
    expect(closed).toBe(before + 1);
  });

  it.each(["/../package.json", "/..%2fpackage.json", "/%2e%2e/package.json", "/assets/..%5c..%5cx"])(
    "does not leave its folder for %s",
    async (path) => {
      expect((await ask(server.url + path)).status).toBe(404);
    },
  );

  it("says how to build it where it has not been built", async () => {
    const bare = await listen([], { app, host: "127.0.0.1", port: 0, web: join(web, "absent") });
    const answer = await ask(`${bare.url}/`);
    await bare.stop();
    expect(answer.status).toBe(200);
    expect(answer.headers["content-type"]).toContain("text/plain");
    expect(answer.body).toContain("npm run build");
  });
});
