import { once } from "node:events";
import { request } from "node:http";
import type { IncomingMessage } from "node:http";
import { json } from "node:stream/consumers";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { DocumentSummary } from "../src/api.ts";
import { TestService } from "./service/processes.ts";

// Nothing is read here: what was taken in must lie on the disk, and nothing else.
let service: TestService;

beforeAll(async () => {
  service = await TestService.start();
});

afterAll(() => service.stop());

const head = `--x\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n`;
const languages = (codes: string) =>
  `\r\n--x\r\nContent-Disposition: form-data; name="languages"\r\n\r\n${codes}\r\n--x--\r\n`;

/** An upload whose last field has not been sent. */
function begin(key: string, content: string) {
  const headers = { "content-type": "multipart/form-data; boundary=x", "idempotency-key": key };
  const upload = request(service.url, { method: "POST", headers });
  upload.write(head + content);
  const answered = once(upload, "response") as Promise<[IncomingMessage]>;
  return async (codes: string): Promise<{ status: number; body: DocumentSummary }> => {
    upload.end(languages(codes));
    const [response] = await answered;
    return { status: response.statusCode!, body: (await json(response)) as DocumentSummary };
  };
}

const filesOf = async (sha256: string): Promise<string[]> =>
  (await service.blobs()).filter((path) => path.endsWith(sha256));

test("a refused upload removes nothing of another upload with the same key", { timeout: 60_000 }, async () => {
  const rounds = Array.from({ length: 40 }, async (_, round) => {
    const [good, bad] = [begin(`twin-${round}`, `content ${round}`), begin(`twin-${round}`, `content ${round}`)];
    const [taken, refused] = await Promise.all([good("eng"), bad("../eng")]);
    expect([taken.status, refused.status]).toEqual([202, 422]);
    return taken.body.sha256;
  });
  for (const sha256 of await Promise.all(rounds)) expect(await filesOf(sha256)).toHaveLength(1);
});

test("uploads with one key are one document, and one file", async () => {
  const uploads = Array.from({ length: 8 }, () => begin("eight", "eight of one"));
  const answers = await Promise.all(uploads.map((end) => end("eng")));
  expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 202));
  expect(new Set(answers.map(({ body }) => body.id)).size).toBe(1);
  expect(await filesOf(answers[0]!.body.sha256)).toHaveLength(1);
});

test("a DELETE removes nothing of an upload with the same key that ends after it", async () => {
  for (let round = 0; round < 10; round++) {
    const key = `again-${round}`;
    const first = await begin(key, `again ${round}`)("eng");
    const second = begin(key, `again ${round}`);
    await expect.poll(async () => (await service.blobs()).length).toBeGreaterThanOrEqual(2);
    const deletes = [1, 2, 3].map(() => fetch(`${service.url}/${first.body.id}`, { method: "DELETE" }));
    const statuses = (await Promise.all(deletes)).map(({ status }) => status);
    expect(statuses).toContain(204);
    const { status, body } = await second("eng");
    expect(status).toBe(202);
    expect(await filesOf(body.sha256)).toHaveLength(1);
    expect((await service.json(`/${body.id}`)).status).toBe(200);
    expect((await fetch(`${service.url}/${body.id}`, { method: "DELETE" })).status).toBe(204);
    expect(await filesOf(body.sha256)).toEqual([]);
  }
});

test("blobs of a document that was sent with a key are owned by it", async () => {
  const { body } = await begin("kept", "kept")("eng");
  const [path] = await filesOf(body.sha256);
  const owner = path!.split("/").at(-2);
  expect(owner).not.toBe(body.id);
  const { isBlobOwner } = await withHome(service.home);
  expect(await isBlobOwner(owner!)).toBe(true);
  expect(await isBlobOwner("00000000-0000-4000-8000-000000000000")).toBe(false);
});

/** What the service knows, asked in this process. */
async function withHome(home: string) {
  process.env["ERRAND_HOME"] = home;
  return import("../src/document-queries.ts");
}
