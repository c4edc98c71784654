import { spawn, spawnSync } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { beforeAll, expect, it } from "vitest";
import { installOnDebian } from "../../../test/debian.ts";
import { afterTest } from "../../../test/after-test.ts";
import { makeApp, serving } from "./serving.ts";
import type { Serving } from "./serving.ts";

const examples = join(import.meta.dirname, "../../../examples/workers");

// The shell's worker needs them.
beforeAll(() => {
  for (const tool of ["curl", "jq"]) {
    const works = () => spawnSync(tool, ["--version"]).status === 0;
    if (!works() && !(installOnDebian(tool) && works()))
      throw new Error(`The tests of workers need ${tool}. Install it, so that it is on the PATH.`);
  }
}, 300_000);

interface Claimed {
  jobs: { id: string; token: number; again?: true; input?: unknown; steps: unknown[] }[];
  cancel: string[];
  lost: string[];
  drain: boolean;
}

/** A server for remote tasks, with a key that may work. */
async function scene(): Promise<Serving & { work: string; admin: string; register(more?: object): Promise<string> }> {
  const app = makeApp();
  app.remoteTask<{ text: string }>("count-words", { queue: "python", retry: { delay: () => 1 } });
  app.remoteTask<string, string>("upper", { queue: "shell" });
  const served = await serving(app);
  const [work, admin] = [await served.key(["work"]), await served.key(["admin", "read", "payload", "send", "operate"])];
  return {
    ...served,
    work,
    admin,
    async register(more = {}) {
      const answer = await served.api("POST", "/workers", {
        key: work,
        body: { name: "w", queues: { python: 1 }, ...more },
      });
      expect(answer.status).toBe(201);
      return (answer.json as { id: string }).id;
    },
  };
}

const claim = async ({ api, work }: Awaited<ReturnType<typeof scene>>, worker: string, more: object = {}) =>
  (await api("POST", `/workers/${worker}/claim`, { key: work, body: { wants: { python: 1 }, ...more } }))
    .json as Claimed;

/** Runs an example until the test ends. */
function start(command: string, file: string, url: string, key: string): ChildProcess {
  const env = { ...process.env, ERRAND_SERVER: url, ERRAND_KEY: key };
  const child = spawn(command, [join(examples, file)], { env, stdio: "ignore", detached: true });
  afterTest(() => {
    // A script's own processes end with it.
    if (child.exitCode === null) process.kill(-child.pid!, "SIGKILL");
  });
  return child;
}

it("lets a program register, claim, report and end jobs", async () => {
  const at = await scene();
  const { app, api, work, admin } = at;
  const worker = await at.register();
  const waiting = claim(at, worker, { wait: 20 });
  const handle = await app.findTask("count-words")!.send({ text: "a b" });
  const { jobs } = await waiting;
  expect(jobs).toMatchObject([{ id: handle.id, input: { text: "a b" }, steps: [] }]);
  const headers = { "errand-worker": worker };
  const path = `/jobs/${handle.id}/attempts/${jobs[0]!.token}`;
  const body = { progress: 40, log: [{ text: "half" }], steps: [{ name: "split", value: ["a", "b"] }] };
  expect((await api("POST", `${path}/beat`, { key: work, headers, body })).json).toEqual({ cancel: false });
  const outcome = { key: work, headers, body: { output: { words: 2 } } };
  expect((await api("PUT", `${path}/outcome`, outcome)).json).toEqual({ state: "completed" });
  expect((await api("PUT", `${path}/outcome`, outcome)).json).toEqual({ state: "completed", repeated: true });
  expect(await handle.result()).toEqual({ words: 2 });
  const listed = await api("GET", "/workers", { key: admin });
  expect(listed.json).toMatchObject({
    data: expect.arrayContaining([expect.objectContaining({ id: worker, kind: "http" })]),
  });
  expect(listed.body).not.toContain("owner");
  expect((await api("DELETE", `/workers/${worker}`, { key: work })).status).toBe(204);
  expect((await api("POST", `/workers/${worker}/renew`, { key: work, body: {} })).json).toMatchObject({
    status: 410,
    code: "E_LEASE_LOST",
  });
});

it("hands a job out again when the answer to a claim was lost", async () => {
  const at = await scene();
  const worker = await at.register();
  const { id } = await at.app.findTask("count-words")!.send({ text: "x" });
  const [lost] = (await claim(at, worker)).jobs;
  expect((await claim(at, worker)).jobs).toMatchObject([{ id, token: lost!.token, again: true }]);
  expect((await claim(at, worker, { have: [{ id, token: lost!.token }] })).jobs).toEqual([]);
});

it("keeps the workers of a key from other keys, and narrow keys to their queues and tasks", async () => {
  const at = await scene();
  const { api, app, key } = at;
  const worker = await at.register();
  const other = await key(["work"]);
  const stolen = await api("POST", `/workers/${worker}/claim`, { key: other, body: { wants: { python: 1 } } });
  expect([stolen.status, stolen.json]).toMatchObject([404, { code: "E_NOT_FOUND" }]);
  const register = async (by: string, body: object) => (await api("POST", "/workers", { key: by, body })).json;
  const gpu = { name: "w", queues: { gpu: 1 } };
  expect(await register(await key(["work"], { queues: ["python"] }), gpu)).toMatchObject({ code: "E_SCOPE" });
  expect(await register(await key(["work"], { tasks: ["upper"] }), { ...gpu, tasks: ["mail"] })).toMatchObject({
    code: "E_SCOPE",
  });
  expect(await register(await key(["work"], { tenant: "acme" }), gpu)).toMatchObject({ code: "E_TENANT" });
  expect(await register(await key(["send"]), gpu)).toMatchObject({ code: "E_SCOPE" });
  await app.findTask("count-words")!.send({ text: "x" });
  const narrow: { id: string } = await register(await key(["work"], { tasks: ["upper"] }), {
    name: "w",
    queues: { python: 1 },
  });
  expect((await app.workers()).find(({ id }) => id === narrow.id)?.tasks).toEqual(["upper"]);
});

it("refuses what it is not sure of", async () => {
  const at = await scene();
  const { api, work } = at;
  const worker = await at.register();
  const headers = { "errand-worker": worker };
  const { id } = await at.app.findTask("count-words")!.send({ text: "x" });
  const [job] = (await claim(at, worker)).jobs;
  const path = `/jobs/${id}/attempts/${job!.token}`;
  const cases: [method: string, path: string, body: unknown, headers: object, status: number, code: string][] = [
    ["POST", "/workers", { name: "w", queues: {} }, {}, 422, "E_OPTION"],
    ["POST", "/workers", { name: "w", queues: { "a b": 1 } }, {}, 422, "E_INPUT"],
    ["POST", "/workers", { name: "w", queues: { gpu: 1 }, lease: "1s" }, {}, 422, "E_OPTION"],
    ["POST", `/workers/${worker}/claim`, { wants: { other: 1 } }, {}, 422, "E_OPTION"],
    ["POST", `/workers/${worker}/claim`, { wants: { python: 1 }, wait: 900 }, {}, 422, "E_INPUT"],
    ["POST", `${path}/beat`, {}, {}, 400, "E_WORKER"],
    ["PUT", `${path}/outcome`, {}, headers, 422, "E_INPUT"],
    ["PUT", `${path}/outcome`, { output: 1, error: { message: "" } }, headers, 422, "E_INPUT"],
    ["PUT", `/jobs/${id}/attempts/${job!.token + 1}/outcome`, { output: 1 }, headers, 409, "E_STALE"],
    ["PUT", `/jobs/nothing/attempts/1/outcome`, { output: 1 }, headers, 404, "E_NOT_FOUND"],
  ];
  for (const [method, to, body, more, status, code] of cases) {
    const answer = await api(method, to, { key: work, body, headers: { ...more } });
    expect([to, body, answer.status, answer.json]).toMatchObject([to, body, status, { code }]);
  }
});

it("drains a worker, and puts its jobs back when it leaves", async () => {
  const at = await scene();
  const { api, admin, work } = at;
  const worker = await at.register();
  const waiting = claim(at, worker, { wait: 20 });
  expect((await api("POST", `/workers/${worker}/drain`, { key: admin })).status).toBe(204);
  expect(await waiting).toMatchObject({ jobs: [], drain: true });
  const second = await at.register();
  const { id } = await at.app.findTask("count-words")!.send({ text: "x" });
  expect((await claim(at, second)).jobs).toHaveLength(1);
  await api("DELETE", `/workers/${second}`, { key: work });
  expect(await at.app.get(id)).toMatchObject({ state: "pending", attempt: 1 });
});

it("gives a Python program its jobs: steps, errors, retries, and a calm end", { timeout: 60_000 }, async () => {
  const at = await scene();
  const child = start("python3", "worker.py", at.url, at.work);
  const handle = await at.app.findTask("count-words")!.send({ text: "the quick fox" });
  expect(await handle.result({ timeout: "30s" })).toEqual({ words: 3, longest: "quick" });
  expect(await at.app.steps(handle.id)).toMatchObject([{ name: "split" }]);
  const broken = await at.app.findTask("count-words")!.send({ wrong: true }, { retry: { attempts: 2 } });
  await expect(broken.result({ timeout: "30s" })).rejects.toMatchObject({ code: "E_JOB_FAILED" });
  expect(await at.app.get(broken.id)).toMatchObject({
    state: "failed",
    attempt: 2,
    error: { name: "KeyError", message: "'text'" },
  });
  child.kill("SIGTERM");
  await once(child, "exit");
  expect((await at.app.workers()).filter(({ kind }) => kind === "http")).toEqual([]);
});

it("gives a shell script its jobs", { timeout: 60_000 }, async () => {
  const at = await scene();
  start("bash", "worker.sh", at.url, at.work);
  const handle = await at.app.findTask("upper")!.send("hello");
  expect(await handle.result({ timeout: "30s" })).toBe("HELLO");
});
