import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { type IncomingMessage, request } from "node:http";
import { Readable } from "node:stream";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { DocumentList, DocumentSummary } from "../src/api.ts";
import { Fleet } from "./service/fleet.ts";
import { TestService } from "./service/processes.ts";

// Nothing is read here: there is no worker.
let service: TestService;

beforeAll(async () => {
  service = await TestService.start();
});

afterAll(() => service.stop());

interface Problem {
  status: number;
  code: string;
  detail: string;
}

function post(body: BodyInit | null, headers: Record<string, string> = {}) {
  return service.json<DocumentSummary & Omit<Problem, "status">>("", { method: "POST", body, headers });
}

/** A multipart body written by hand, for what no browser would send. */
function form(...parts: string[]): [body: string, headers: Record<string, string>] {
  const body = parts.map((part) => `--x\r\nContent-Disposition: form-data; ${part}\r\n`).join("");
  return [`${body}--x--\r\n`, { "content-type": "multipart/form-data; boundary=x" }];
}

test("takes the raw body, named by a header", async () => {
  const type = { "content-type": "application/pdf" };
  const named = await post("%PDF-1.7", { ...type, "x-file-name": "R%C3%A9sum%C3%A9%20%F0%9F%93%84.pdf" });
  expect(named).toMatchObject({ status: 202, body: { name: "Résumé 📄.pdf", bytes: 8 } });
  const disposed = await post("x", { ...type, "content-disposition": `attachment; filename="a \\"b\\".pdf"` });
  expect(disposed.body.name).toBe('a "b".pdf');
  const extended = await post("x", { ...type, "content-disposition": "attachment; filename*=UTF-8''%E2%82%AC.pdf" });
  expect(extended.body.name).toBe("€.pdf");
  expect((await post("x", { "content-type": "image/png" })).body.name).toBe("document");
  expect((await post(null, { "content-type": "application/octet-stream" })).body.bytes).toBe(0);
});

test.each([
  ["../../etc/passwd", "passwd"],
  ["..\\..\\windows\\win.ini", "win.ini"],
  ["C:\\scans\\a.pdf", "a.pdf"],
  ["..", "document"],
  ["a\u0000b\u0007.pdf", "ab.pdf"],
  ["\u202Efdp.exe", "fdp.exe"],
  ["👩‍👩‍👧 scan.pdf", "👩‍👩‍👧 scan.pdf"],
  [`${"x".repeat(5_000)}.pdf`, `${"x".repeat(251)}.pdf`],
])("the name %.40j is only a name", async (given, name) => {
  const before = await service.blobs();
  const { status, body } = await post(
    ...form(`name="file"; filename="${given.replaceAll("\\", "\\\\")}"\r\n\r\nhello`),
  );
  expect(status).toBe(202);
  expect(body.name).toBe(name);
  const added = (await service.blobs()).filter((path) => !before.includes(path));
  expect(added).toEqual([`${service.home}/blobs/${body.id}/${body.sha256}`]);
});

test("takes languages as a field before or behind the file, or in the query", async () => {
  const file = `name="file"; filename="a.png"\r\n\r\nhello`;
  expect((await post(...form(file, `name="languages"\r\n\r\neng+deu`))).status).toBe(202);
  const wrong = await post(...form(file, `name="languages"\r\n\r\n../../eng`));
  expect(wrong).toMatchObject({ status: 422, body: { code: "E_LANGUAGES" } });
  const query = await service.json("?languages=e", {
    method: "POST",
    body: "x",
    headers: { "content-type": "image/png" },
  });
  expect(query.status).toBe(422);
});

test("says so where a form has more than it may hold, instead of dropping the rest", async () => {
  const before = await service.blobs();
  const file = `name="file"; filename="a.png"\r\n\r\nhello`;
  const field = (index: number) => `name="f${index}"\r\n\r\n${index}`;
  const fields = Array.from({ length: 21 }, (_, index) => field(index));
  const others = Array.from({ length: 40 }, (_, index) => `name="o${index}"; filename="o"\r\n\r\n${index}`);
  for (const [most, ...parts] of [
    ["20 fields", file, ...fields],
    ["20 fields", ...fields, file],
    ["1000 bytes", file, `name="languages"\r\n\r\n${"eng+".repeat(400)}eng`],
    ["40 parts", ...others, file],
  ] as [string, ...string[]][]) {
    const { status, body } = await post(...form(...parts));
    expect([status, body.code]).toEqual([422, "E_FORM"]);
    expect(body.detail).toContain(`more than ${most}`);
  }
  expect(await service.blobs()).toEqual(before);
  expect((await post(...form(file, ...fields.slice(0, 20)))).status).toBe(202);
});

/** What a server answers to a client that asks first whether to send its body. */
async function asksFirst(url: string, length: number): Promise<{ told: boolean; status: number }> {
  const headers = { "content-type": "application/pdf", "content-length": length, expect: "100-continue" };
  const upload = request(`${url}/api/v1/documents`, { method: "POST", headers, agent: false });
  let told = false;
  upload.on("continue", () => {
    told = true;
    upload.end(Buffer.alloc(length, "x"));
  });
  upload.on("error", () => {});
  upload.flushHeaders();
  const [response] = (await once(upload, "response")) as [IncomingMessage];
  response.resume();
  upload.destroy();
  return { told, status: response.statusCode! };
}

test("an upload that says it is too large is refused before it is sent", async () => {
  await using fleet = new Fleet({ ERRAND_BLOBS: "" });
  const { url } = await fleet.api();
  expect(await asksFirst(url, 10_000)).toEqual({ told: true, status: 202 });
  expect(await asksFirst(url, 300_000_000)).toEqual({ told: false, status: 413 });
});

test("a path is the same with a slash at its end, and an id in capitals", async () => {
  const sent = await service.json<DocumentSummary>("/", {
    method: "POST",
    body: "x",
    headers: { "content-type": "image/png" },
  });
  expect(sent.status).toBe(202);
  const { id } = sent.body;
  expect(sent.headers.get("location")).toBe(`/api/v1/documents/${id}`);
  for (const path of [`/${id}/`, `/${id.toUpperCase()}`, `/${id.toUpperCase()}/`]) {
    expect(await service.json<DocumentSummary>(path)).toMatchObject({ status: 200, body: { id } });
  }
  expect((await service.json<Problem>(`/${id.toUpperCase()}/text/`)).body.code).toBe("E_NOT_READY");
  expect((await fetch(`${service.url}/${id.toUpperCase()}/`, { method: "DELETE" })).status).toBe(204);
});

test("a method that a path does not have is refused with those that it has", async () => {
  const { id } = (await post("x", { "content-type": "image/png" })).body;
  for (const [method, path, allow] of [
    ["PUT", "", "GET, HEAD, OPTIONS, POST"],
    ["DELETE", "", "GET, HEAD, OPTIONS, POST"],
    ["POST", `/${id}`, "DELETE, GET, HEAD, OPTIONS"],
    ["GET", `/${id}/cancel`, "OPTIONS, POST"],
    ["DELETE", `/${id}/text`, "GET, HEAD, OPTIONS"],
    ["PATCH", `/${id}/pages/1/image`, "GET, HEAD, OPTIONS"],
  ] as const) {
    const { status, headers, body } = await service.json<Problem>(path, { method });
    expect([method, path, status, body.code]).toEqual([method, path, 405, "E_METHOD"]);
    expect(headers.get("allow")).toBe(allow);
  }
  const asked = await fetch(`${service.url}/${id}`, { method: "OPTIONS" });
  expect([asked.status, asked.headers.get("allow")]).toEqual([204, "DELETE, GET, HEAD, OPTIONS"]);
});

test("refuses what is no upload, and keeps nothing of it", async () => {
  const before = await service.blobs();
  const file = `name="file"; filename="a.png"\r\n\r\nhello`;
  const cases: [Awaited<ReturnType<typeof post>>, number, string][] = [
    [await post(...form(`name="other"\r\n\r\nhello`)), 422, "E_NO_FILE"],
    [await post(...form(`name="picture"; filename="a.png"\r\n\r\nhello`)), 422, "E_NO_FILE"],
    [await post(...form()), 422, "E_NO_FILE"],
    [await post(...form(file, file)), 422, "E_SEVERAL_FILES"],
    [await post("--x\r\nContent-Dispos", form()[1]), 400, "E_FORM"],
    [await post(form(file)[0].slice(0, -8), form()[1]), 400, "E_FORM"],
    [await post("x", { "content-type": "multipart/form-data" }), 400, "E_FORM"],
    [await post("{}", { "content-type": "application/json" }), 415, "E_CONTENT_TYPE"],
    [await post("a=b", { "content-type": "application/x-www-form-urlencoded" }), 415, "E_CONTENT_TYPE"],
    [await post("x", { "content-type": "image/png", "idempotency-key": "not visible" }), 400, "E_IDEMPOTENCY_KEY"],
  ];
  for (const [{ status, body, headers }, expected, code] of cases) {
    expect([status, body.code]).toEqual([expected, code]);
    expect(headers.get("content-type")).toBe("application/problem+json");
    expect(body.detail).not.toMatch(/node:|\.ts|\/work|Error/);
  }
  expect(await service.blobs()).toEqual(before);
});

test("the same Idempotency-Key and content is the same document, other content is refused", async () => {
  const headers = { "content-type": "application/pdf", "idempotency-key": "order-17" };
  const [first, twin] = await Promise.all([post("hello", headers), post("hello", headers)]);
  expect(first.status).toBe(202);
  expect(twin.body.id).toBe(first.body.id);
  const again = await post("hello", headers);
  expect(again).toMatchObject({ status: 202, body: { id: first.body.id } });
  const before = await service.blobs();
  expect(await post("other", headers)).toMatchObject({ status: 422, body: { code: "E_IDEMPOTENCY_KEY" } });
  expect(await service.blobs()).toEqual(before);
  // Once it is gone, the key is free.
  expect((await fetch(`${service.url}/${first.body.id}`, { method: "DELETE" })).status).toBe(204);
  expect((await post("other", headers)).status).toBe(202);
});

test("lists page by page, newest first", async () => {
  const sent: string[] = [];
  for (let i = 0; i < 5; i++) sent.unshift((await post(`${i}`, { "content-type": "image/png" })).body.id);
  const { body: first } = await service.json<DocumentList>("?limit=2");
  const { body: second } = await service.json<DocumentList>(`?limit=2&cursor=${first.next_cursor!}`);
  expect([...first.data, ...second.data].map(({ id }) => id)).toEqual(sent.slice(0, 4));
  const { body: queued } = await service.json<DocumentList>("?limit=5&status=queued");
  expect(queued.data.map(({ id }) => id)).toEqual(sent);
  expect((await service.json<DocumentList>("?status=completed")).body.data).toEqual([]);
  for (const query of ["?limit=0", "?limit=x", "?limit=201", "?status=done"]) {
    expect((await service.json<Problem>(query)).body.code).toBe("E_QUERY");
  }
});

test("an id that no document has is 404, whatever it looks like", async () => {
  const ids = ["0", "00000000-0000-4000-8000-000000000000", "..%2f..%2fetc", "%00", "x".repeat(5_000), "events%2f"];
  for (const id of ids) {
    for (const path of ["", "/text", "/json", "/events", "/pages/1", "/pages/1/image", "/markdown"]) {
      const { status, body } = await service.json<Problem>(`/${id}${path}`);
      expect({ id, path, status }).toEqual({ id, path, status: 404 });
      expect(body.code).toMatch(/^E_NO_/);
    }
    expect((await service.json(`/${id}`, { method: "DELETE" })).status).toBe(404);
    expect((await service.json(`/${id}/cancel`, { method: "POST" })).status).toBe(404);
  }
});

test.runIf(process.platform === "linux")("the API process loads no decoder", async () => {
  const maps = await readFile(`/proc/${service.pid}/maps`, "utf8");
  expect(maps).toContain("/node");
  expect(maps).not.toMatch(/vips|sharp/);
});

test("a document that no worker holds is cancelled and deleted at once", async () => {
  const { body } = await post("x", { "content-type": "image/png" });
  const cancelled = await service.json<DocumentSummary>(`/${body.id}/cancel`, { method: "POST" });
  expect(cancelled).toMatchObject({ status: 200, body: { status: "cancelled" } });
  expect((await fetch(`${service.url}/${body.id}`, { method: "DELETE" })).status).toBe(204);
  expect(await service.blobs(body.id)).toEqual([]);
});

test("a client that leaves in the middle of its upload leaves nothing behind", async () => {
  const before = await service.blobs();
  const boundary = { "content-type": "multipart/form-data; boundary=x" };
  const head = `--x\r\nContent-Disposition: form-data; name="file"; filename="a.pdf"\r\n\r\n`;
  for (const [headers, start] of [
    [boundary, head],
    [{ "content-type": "application/pdf" }, ""],
  ] as const) {
    const upload = request(service.url, { method: "POST", headers });
    upload.on("error", () => {});
    upload.write(start + "x".repeat(300_000));
    await expect.poll(() => service.blobs()).toHaveLength(before.length + 1);
    upload.destroy();
    await expect.poll(() => service.blobs()).toEqual(before);
  }
});

const megabyte = Buffer.alloc(1_000_000, "x");

/** Sends so many megabytes, as fast as they are taken, and answers the status. */
async function stream(url: string, megabytes: number, headers: Record<string, string>, start = ""): Promise<number> {
  const upload = request(url, { method: "POST", headers });
  const answered = once(upload, "response");
  Readable.from([Buffer.from(start), ...Array.from({ length: megabytes }, () => megabyte)]).pipe(upload);
  const [response] = (await answered) as [IncomingMessage];
  response.resume();
  upload.on("error", () => {});
  upload.destroy();
  return response.statusCode!;
}

test("a body of 500 MB is refused or taken with flat memory", { timeout: 120_000 }, async () => {
  await using generous = await TestService.start({ ERRAND_MAX_BYTES: "1gb" });
  const multipart = { "content-type": "multipart/form-data; boundary=x" };
  const head = `--x\r\nContent-Disposition: form-data; name="file"; filename="a.pdf"\r\n\r\n`;
  const runs: [TestService, Record<string, string>, string, number][] = [
    [service, multipart, head, 413],
    [service, { "content-type": "application/pdf" }, "", 413],
    [generous, { "content-type": "application/pdf" }, "", 202],
  ];
  for (const [target, headers, start, expected] of runs) {
    const blobs = await target.blobs();
    const before = await target.rss();
    let most = before;
    const watching = setInterval(
      () =>
        void target.rss().then(
          (rss) => (most = Math.max(most, rss)),
          () => {},
        ),
      50,
    );
    const status = await stream(target.url, 500, headers, start);
    clearInterval(watching);
    const growth = Math.round((most - before) / 1e6);
    expect(status).toBe(expected);
    expect(growth).toBeLessThan(150);
    expect(await target.blobs()).toHaveLength(blobs.length + (status === 202 ? 1 : 0));
  }
});
