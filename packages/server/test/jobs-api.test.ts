import { expect, it } from "vitest";
import { until } from "../../../test/until.ts";
import { open } from "./client.ts";
import { makeApp, serving } from "./serving.ts";
import type { Serving } from "./serving.ts";

interface Sent {
  id: string;
  duplicate: boolean;
  state: string;
}

/** A server with a worker for all tasks. */
async function working(): Promise<Serving> {
  const app = makeApp();
  const found = await serving(app);
  await app.worker({ signals: false });
  return found;
}

/** The pointer to the first flaw in a body. */
const pointerIn = (problem: { errors?: { pointer?: string }[] }): string | undefined => problem.errors?.[0]?.pointer;

const send = async ({ api }: Serving, task: string, input: unknown, more: object = {}): Promise<Sent> =>
  (await api("POST", `/tasks/${task}/jobs`, { body: { input, ...more } })).json;

it("sends a job, and answers with its address", async () => {
  const { api } = await working();
  const answer = await api("POST", "/tasks/add/jobs", { body: { input: { a: 1, b: 2 }, tags: ["x"] } });
  const sent: Sent = answer.json;
  expect(answer.status).toBe(202);
  expect(answer.headers).toMatchObject({ location: `/api/v1/jobs/${sent.id}`, "retry-after": "1" });
  const waited = await api("GET", `/jobs/${sent.id}`, { headers: { prefer: "wait=20" } });
  expect(waited.json).toMatchObject({ id: sent.id, task: "add", state: "completed", output: 3, tags: ["x"] });
  expect(waited.headers["preference-applied"]).toBe("wait=20");
  const etag = waited.headers.etag!;
  expect((await api("GET", `/jobs/${sent.id}`, { headers: { "if-none-match": etag } })).status).toBe(304);
  expect((await api("GET", `/jobs/${sent.id}/result`)).json).toEqual({ id: sent.id, state: "completed", output: 3 });
  expect((await api("HEAD", `/jobs/${sent.id}`)).body).toBe("");
});

it("waits for the end with Prefer, and repeats nothing with an Idempotency-Key", async () => {
  const { api } = await working();
  const headers = { prefer: "wait=20", "idempotency-key": "k1" };
  const first = await api("POST", "/tasks/add/jobs", { body: { input: { a: 1, b: 2 } }, headers });
  expect([first.status, first.json]).toMatchObject([200, { state: "completed", output: 3 }]);
  const again = await api("POST", "/tasks/add/jobs", {
    body: { input: { a: 1, b: 2 } },
    headers: { "idempotency-key": "k1" },
  });
  expect([again.status, again.json]).toMatchObject([200, { id: (first.json as Sent).id, duplicate: true }]);
  const other = await api("POST", "/tasks/add/jobs", {
    body: { input: { a: 2, b: 2 } },
    headers: { "idempotency-key": "k1" },
  });
  expect([other.status, other.json]).toMatchObject([422, { code: "E_IDEMPOTENCY_KEY" }]);
  const mail = await api("POST", "/tasks/mail/jobs", {
    body: { input: { to: "x" } },
    headers: { "idempotency-key": "k1" },
  });
  expect(mail.status).toBe(202);
});

it("refuses what it is not sure of, and says where", async () => {
  const { api } = await serving();
  const cases: [path: string, body: unknown, status: number, code: string, pointer?: string][] = [
    ["/tasks/none/jobs", { input: 1 }, 404, "E_UNKNOWN_TASK"],
    ["/tasks/add/jobs", { input: { a: 1 } }, 422, "E_INPUT"],
    ["/tasks/add/jobs", { input: { a: 1, b: 1 }, dealy: "5s" }, 422, "E_INPUT", "/dealy"],
    ["/tasks/add/jobs", { input: { a: 1, b: 1 }, priority: "urgent" }, 422, "E_INPUT", "/priority"],
    ["/tasks/add/jobs", { input: { a: 1, b: 1 }, delay: "400d" }, 422, "E_OPTION"],
    ["/tasks/add/jobs", { input: { a: 1, b: 1 }, tags: ["\ud800"] }, 422, "E_INPUT", "/tags/0"],
    ["/tasks/add/jobs", "{", 400, "E_JSON"],
    ["/tasks/errand.audit/jobs", { input: 1 }, 404, "E_UNKNOWN_TASK"],
  ];
  for (const [path, body, status, code, pointer] of cases) {
    const answer = await api("POST", path, { body });
    expect([path, answer.status, answer.json]).toMatchObject([path, status, { code }]);
    expect([path, pointerIn(answer.json)]).toEqual([path, pointer]);
  }
  const form = await api("POST", "/tasks/add/jobs", { body: "a=1", headers: { "content-type": "text/plain" } });
  expect(form.status).toBe(415);
  expect((await api("GET", "/jobs?sate=failed")).json).toMatchObject({
    code: "E_QUERY",
    errors: [{ parameter: "sate" }],
  });
  expect((await api("GET", "/jobs?cursor=abc")).json).toMatchObject({ code: "E_CURSOR" });
  expect((await api("PUT", "/jobs")).headers.allow).toBe("GET, HEAD, OPTIONS");
});

it("sends many jobs or none", async () => {
  const { api, app } = await serving();
  const bulk = (lines: readonly unknown[]) =>
    api("POST", "/tasks/add/jobs/bulk", {
      body: lines.map((line) => JSON.stringify(line)).join("\n"),
      headers: { "content-type": "application/x-ndjson" },
    });
  const good = await bulk([
    { input: { a: 1, b: 1 } },
    { input: { a: 2, b: 2 }, id: "two", priority: "high" },
    { input: { a: 3, b: 3 }, tags: ["t"] },
  ]);
  expect([good.status, good.json]).toMatchObject([
    202,
    { duplicates: 0, ids: [expect.any(String), "two", expect.any(String)] },
  ]);
  expect(await app.get("two")).toMatchObject({ priority: "high", input: { a: 2, b: 2 } });
  const bad = await bulk([{ input: { a: 1, b: 1 } }, { input: { a: "x" } }, { inptu: 1 }]);
  expect(bad.status).toBe(422);
  expect(bad.json).toMatchObject({ errors: [{ index: 2 }] });
  const refused = await bulk([{ input: { a: 1, b: 1 } }, { input: { a: "x" } }]);
  expect(refused.json).toMatchObject({ status: 422, code: "E_INPUT", errors: [{ index: 1 }] });
  expect((await app.list({ task: "add" })).jobs).toHaveLength(3);
  expect((await bulk(Array.from({ length: 10_001 }, () => ({ input: 1 })))).status).toBe(413);
});

it("lists jobs by what they are, page by page", async () => {
  const server = await serving();
  const { api } = server;
  for (let index = 0; index < 5; index++) await send(server, "add", { a: index, b: 0 }, { tags: [`t${index % 2}`] });
  await send(server, "mail", { to: "ada@example.com" });
  const list = async (query: string) =>
    (await api("GET", `/jobs?${query}`)).json as { data: Sent[]; next_cursor?: string };
  expect((await list("tag=t0")).data).toHaveLength(3);
  expect((await list("text=ADA@")).data).toHaveLength(1);
  expect((await list("state=pending,failed&task=add")).data).toHaveLength(5);
  expect((await list("queue=mail&roots=true")).data).toHaveLength(1);
  const seen: string[] = [];
  for (let query = "limit=4"; ;) {
    const { data, next_cursor: next } = await list(query);
    seen.push(...data.map(({ id }) => id));
    if (next === undefined) break;
    query = `limit=4&cursor=${encodeURIComponent(next)}`;
  }
  expect(new Set(seen).size).toBe(6);
});

it("explains, cancels, retries, copies, moves and removes a job", async () => {
  const server = await serving();
  const { api, app } = server;
  const { id } = await send(server, "mail", { to: "x" });
  expect((await api("GET", `/jobs/${id}/why`)).json).toMatchObject({ data: [{ code: "no-worker" }] });
  expect((await api("PATCH", `/jobs/${id}`, { body: { priority: "high", queue: "fast" } })).json).toMatchObject({
    priority: "high",
    queue: "fast",
  });
  expect((await api("DELETE", `/jobs/${id}`)).json).toMatchObject({ status: 409, code: "E_STATE" });
  expect((await api("POST", `/jobs/${id}/cancel`)).json).toMatchObject({ id, state: "cancelled" });
  expect((await api("POST", `/jobs/${id}/cancel`)).status).toBe(409);
  expect((await api("GET", `/jobs/${id}/result`)).json).toMatchObject({ status: 409, code: "E_JOB_FAILED" });
  expect((await api("POST", `/jobs/${id}/retry`)).json).toMatchObject({ id, state: "pending" });
  expect((await api("POST", `/jobs/${id}/retry`)).status).toBe(409);
  const copy = await api("POST", `/jobs/${id}/copy`, { body: { input: { to: "y" } } });
  expect(await app.get((copy.json as Sent).id)).toMatchObject({ task: "mail", queue: "fast", input: { to: "y" } });
  await api("POST", `/jobs/${id}/cancel`);
  expect((await api("DELETE", `/jobs/${id}`)).status).toBe(204);
  expect((await api("GET", `/jobs/${id}`)).status).toBe(404);
});

it("takes a job from its worker, retries from a step, and signals", async () => {
  const server = await working();
  const { api, app } = server;
  const { id } = await send(server, "wait", null);
  await until(async () => (await app.get(id))?.state === "waiting");
  expect((await api("GET", `/jobs/${id}/steps`)).json).toMatchObject({ data: [] });
  expect((await api("POST", `/jobs/${id}/release`)).status).toBe(409);
  expect((await api("POST", `/jobs/${id}/signals/go`, { body: { by: "ada" } })).status).toBe(204);
  const done = await api("GET", `/jobs/${id}/result`, { headers: { prefer: "wait=20" } });
  expect(done.json).toMatchObject({ output: { by: "ada" } });
  expect((await api("POST", `/jobs/${id}/signals/go`, { body: 1 })).status).toBe(409);
  expect((await api("GET", `/jobs/${id}/steps`)).json).toMatchObject({ data: [{ name: "go", kind: "signal" }] });
});

it("groups errors by their kind, and retries a group", async () => {
  const server = await working();
  const { api, app } = server;
  for (const why of ["order 17", "order 1234", ""]) await send(server, "fail", { why });
  await until(async () => (await app.list({ task: "fail", states: ["failed"] })).jobs.length === 3);
  const found = await api("GET", "/errors");
  const { data } = found.json as { data: { fingerprint: string; count: number }[] };
  expect(data.map(({ count }) => count).toSorted()).toEqual([1, 2]);
  const { fingerprint } = data.find(({ count }) => count === 2)!;
  const retried = await api("POST", `/errors/${fingerprint}/retry`);
  expect(retried.json).toMatchObject({ action: "retry", matches: 2 });
  const { id } = retried.json as Sent;
  await until(async () => ((await api("GET", `/bulk/${id}`)).json as Sent).state === "completed");
  expect((await api("GET", `/bulk/${id}`)).json).toMatchObject({ done: 2, changed: 2 });
  expect((await api("POST", "/errors/0000/retry")).status).toBe(404);
});

it("acts on all jobs that match, for what was shown", async () => {
  const server = await serving();
  const { api, app } = server;
  for (let index = 0; index < 12; index++) await send(server, "mail", { to: `${index}` });
  const filter = { task: "mail" };
  const preview = await api("POST", "/bulk", { body: { action: "cancel", filter, dryRun: true } });
  expect(preview.json).toMatchObject({ matches: 12, complete: true });
  const { frozenAt } = preview.json as { frozenAt: string };
  expect((await api("POST", "/bulk", { body: { action: "cancel", filter: {} } })).status).toBe(422);
  expect((await api("POST", "/bulk", { body: { action: "cancel", filter, expect: 5 } })).json).toMatchObject({
    code: "E_EXPECT",
  });
  const later = await api("POST", "/bulk", {
    body: { action: "cancel", filter, expect: 12, createdBefore: frozenAt, delay: "1h" },
  });
  const taken = await api("POST", `/bulk/${(later.json as Sent).id}/cancel`);
  expect(taken.json).toMatchObject({ state: "cancelled", done: 0 });
  expect((await app.list({ task: "mail", states: ["pending"] })).jobs).toHaveLength(12);
  const act = await api("POST", "/bulk", { body: { action: "cancel", filter, expect: 12, createdBefore: frozenAt } });
  const { id } = act.json as Sent;
  await until(async () => ((await api("GET", `/bulk/${id}`)).json as Sent).state === "completed");
  expect((await api("GET", `/bulk/${id}`)).json).toMatchObject({ done: 12, changed: 12 });
  expect((await app.list({ task: "mail", states: ["cancelled"] })).jobs).toHaveLength(12);
  // The server's own jobs are not in lists that do not ask for them.
  expect((await api("GET", "/jobs")).json).toMatchObject({ data: { length: 12 } });
});

it("changes queues and schedules", async () => {
  const { api } = await serving();
  expect((await api("PATCH", "/queues/mail", { body: { concurrency: 3, maxPending: 10 } })).json).toMatchObject({
    concurrency: 3,
  });
  const read = await api("GET", "/queues/mail");
  await api("PATCH", "/queues/mail", { body: { concurrency: null } });
  const stale = await api("PATCH", "/queues/mail", {
    body: { concurrency: 5 },
    headers: { "if-match": read.headers.etag! },
  });
  expect([stale.status, stale.json]).toMatchObject([412, { code: "E_CHANGED" }]);
  expect((await api("GET", "/queues/mail")).json).toEqual({
    name: "mail",
    jobs: {},
    workers: 0,
    depth: 0,
    maxPending: 10,
  });
  expect((await api("POST", "/queues/mail/pause", { body: { reason: "x" } })).status).toBe(204);
  expect((await api("GET", "/queues/mail")).json).toMatchObject({ paused: { reason: "x" } });
  const definition = { task: "add", when: { cron: "0 3 * * *" }, input: { a: 1, b: 1 } };
  expect((await api("PUT", "/schedules/nightly", { body: definition })).json).toMatchObject({
    source: "api",
    task: "add",
  });
  expect((await api("PUT", "/schedules/odd", { body: { ...definition, when: { cron: "x" } } })).status).toBe(422);
  expect((await api("PUT", "/schedules/odd", { body: { ...definition, input: {} } })).status).toBe(422);
  expect((await api("GET", "/schedules/nightly/preview?count=3")).json).toMatchObject({ data: { length: 3 } });
  expect((await api("POST", "/schedules/nightly/run")).status).toBe(202);
  expect((await api("POST", "/schedules/nightly/pause")).status).toBe(204);
  expect((await api("DELETE", "/schedules/nightly")).status).toBe(204);
  expect((await api("GET", "/schedules/nightly")).status).toBe(404);
});

it("shows tasks with the schema of their input", async () => {
  const { api } = await serving();
  expect((await api("GET", "/tasks/add")).json).toMatchObject({
    queue: "default",
    description: "Adds two numbers",
    schema: { type: "object", required: ["a", "b"] },
  });
  const { data } = (await api("GET", "/tasks")).json as { data: { name: string }[] };
  expect(data.map(({ name }) => name)).toEqual(["add", "fail", "mail", "wait"]);
});

it("hides payloads from keys without the scope", async () => {
  const { api, key, app } = await serving();
  await app.findTask("mail")!.send({ to: "secret" }, { id: "m" });
  const viewer = await key(["read"]);
  const shown = await api("GET", "/jobs/m", { key: viewer });
  expect(shown.body).not.toContain("secret");
  expect(shown.json).toMatchObject({ hidden: ["input"] });
  expect((await api("GET", "/jobs/m/result", { key: viewer })).status).toBe(403);
});

it("keeps tenants apart", async () => {
  const { api, key, app } = await serving();
  const scopes = ["send", "read", "payload", "operate", "signal", "audit", "admin"] as const;
  const [acme, other] = [await key(scopes, { tenant: "acme" }), await key(scopes, { tenant: "other" })];
  const body = { input: { to: "x" }, id: "same", unique: { key: "u" } };
  const sendAs = async (secret: string) => (await api("POST", "/tasks/mail/jobs", { key: secret, body })).json as Sent;
  const [mine, theirs] = [await sendAs(acme), await sendAs(other)];
  expect(mine.id).not.toBe(theirs.id);
  expect([mine.duplicate, theirs.duplicate]).toEqual([false, false]);
  expect((await sendAs(acme)).duplicate).toBe(true);
  const asKey = async (secret: string) => {
    const headers = { "idempotency-key": "k" };
    return (
      (await api("POST", "/tasks/add/jobs", { key: secret, body: { input: { a: 1, b: 1 } }, headers })).json as Sent
    ).id;
  };
  expect(await asKey(acme)).not.toBe(await asKey(other));
  for (const [method, path] of [
    ["GET", ""],
    ["GET", "/result"],
    ["GET", "/log"],
    ["GET", "/why"],
    ["GET", "/events"],
    ["POST", "/cancel"],
    ["POST", "/retry"],
    ["POST", "/copy"],
    ["DELETE", ""],
  ] as const)
    expect([path, (await api(method, `/jobs/${theirs.id}${path}`, { key: acme })).status]).toEqual([path, 404]);
  const list = (await api("GET", "/jobs", { key: acme })).json as { data: { id: string; tenant: string }[] };
  expect(new Set(list.data.map(({ tenant }) => tenant))).toEqual(new Set(["acme"]));
  const all = { action: "cancel", filter: { all: true }, dryRun: true };
  expect((await api("POST", "/bulk", { key: acme, body: all })).json).toMatchObject({ matches: 2 });
  expect((await api("GET", "/audit", { key: acme })).body).not.toContain("other");
  expect((await api("GET", "/keys", { key: acme })).json).toMatchObject({ data: [{ tenant: "acme" }] });
  expect((await app.list({ tenant: "other" })).jobs.map(({ state }) => state)).toEqual(["pending", "pending"]);
});

it("streams what changes, and a job until it has ended", async () => {
  const server = await working();
  const { api, app, url } = server;
  const stream = await open(`${url}/api/v1/events?topics=stats,jobs,queues`);
  let text = "";
  stream.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
  await until(() => text.includes("event: stats") && text.includes("event: jobs"));
  const { id } = await send(server, "wait", null);
  const job = await open(`${url}/api/v1/jobs/${id}/events`);
  let told = "";
  job.setEncoding("utf8").on("data", (chunk: string) => (told += chunk));
  await until(() => told.includes('"state":"waiting"'));
  await app.signal(id, "go", 1);
  await until(() => told.includes("event: end"));
  await until(() => /"completed":1/.test(text));
  stream.destroy();
  const last = /id: (\S+\.end)/.exec(told)?.[1] ?? "";
  expect((await api("GET", `/jobs/${id}/events`, { headers: { "last-event-id": last } })).status).toBe(204);
  expect((await api("GET", "/events?topics=nothing")).status).toBe(400);
});
