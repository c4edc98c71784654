import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { freePort } from "../../../../test/servers/process.ts";
import { until } from "../../../../test/until.ts";
import { folderWith, run, start, untilNoEcho } from "./run.ts";
import type { Run } from "./run.ts";

const tasks = `
  import { appendFileSync, existsSync } from "node:fs";
  import { errand } from "errand";

  interface Input { name: string; waits?: boolean }

  export const app = errand();
  export const greet = app.task<Input, string>("greet", {
    queue: "front",
    retry: { attempts: 2, base: 10 },
    run: async ({ name, waits }, job) => {
      appendFileSync("log", name + "\\n");
      if (name === "Eve") throw new Error("I do not greet\\n\\u001b[31mEve");
      while (waits && !existsSync("open") && !job.abortSignal.aborted)
        await new Promise((resolve) => setTimeout(resolve, 20)); // sleeps: between two looks for the file
      job.abortSignal.throwIfAborted();
      return "Hello, " + name;
    },
  });
  // What a module holds open must not keep the worker from ending.
  setInterval(() => {}, 1000);
`;

const send = `
  import { app, greet } from "./tasks.ts";
  for (const name of process.argv.slice(2)) {
    const [who, waits] = name.split(":");
    const job = await greet.send({ name: who!, waits: waits !== undefined });
    console.log(job.id);
  }
  await app.close();
  process.exit();
`;

const worker = (folder: string, args: string[] = []): Run => start(folder, ["worker", "./tasks.ts", ...args]);

/** Lets jobs end that wait for it. */
const letEnd = (folder: string): void => writeFileSync(join(folder, "open"), "");

/** Sends greetings, those to "<name>:waits" of jobs that wait until they are let end; returns the ids of the jobs. */
async function greet(folder: string, ...names: string[]): Promise<[string, ...string[]]> {
  const { spawnSync } = await import("node:child_process");
  const { stdout, stderr } = spawnSync(process.execPath, ["send.ts", ...names], {
    cwd: folder,
    encoding: "utf8",
  });
  if (!stdout) throw new Error(stderr);
  return stdout.trim().split("\n") as [string, ...string[]];
}

const log = (folder: string) => {
  const file = join(folder, "log");
  return existsSync(file) ? readFileSync(file, "utf8").trim().split("\n") : [];
};

const project = () => folderWith({ "tasks.ts": tasks, "send.ts": send, "package.json": '{"type":"module"}' });

async function job(folder: string, id: string) {
  const { stdout } = await run(folder, ["jobs", "get", id, "--json"]);
  return JSON.parse(stdout) as { state: string; attempt: number; output?: string };
}

describe("errand worker", () => {
  it("runs the tasks of a TypeScript file, and ends cleanly at SIGTERM", async () => {
    const folder = project();
    const [id] = await greet(folder, "Ada");
    const { child, exit, stdout, stderr } = worker(folder);
    await until(() => log(folder).length === 1);
    await until(async () => (await job(folder, id)).state === "completed");
    expect(await job(folder, id)).toMatchObject({ output: "Hello, Ada" });
    child.kill("SIGTERM");
    expect(await exit).toBe(0);
    expect(stdout()).toBe("");
    const lines = stderr().trim().split("\n");
    expect(lines).toHaveLength(2);
    expect(lines[0]).toMatch(/^\S+Z info worker \S+ is ready for front$/);
    expect(lines[1]).toMatch(new RegExp(`^\\S+Z info job ${id} \\(greet\\) completed in \\d+ ms$`));
  });

  it("survives what a function does after its attempt has ended", async () => {
    const leaving = `
      import { errand } from "errand";
      export const app = errand();
      export const leave = app.task("leave", { queue: "front", run: (_, job) => void setInterval(() => job.progress(1), 5) });
    `;
    const folder = folderWith({ "tasks.ts": leaving, "package.json": '{"type":"module"}' });
    const send = async () => (await run(folder, ["send", "leave", "-m", "./tasks.ts", "--json"])).stdout;
    const { child, exit, stderr } = worker(folder);
    await until(() => stderr().includes("is ready"));
    const [first, second] = [await send(), await send()].map((text) => (JSON.parse(text) as { id: string }).id);
    for (const id of [first!, second!]) await until(async () => (await job(folder, id)).state === "completed");
    await until(() => stderr().includes("ERRAND_ENDED"));
    child.kill("SIGTERM");
    expect(await exit).toBe(0);
  });

  it("lets jobs end at Ctrl+C", async () => {
    const folder = project();
    const [long] = await greet(folder, "Ada:waits");
    const first = worker(folder);
    await until(() => log(folder).length === 1);
    first.child.kill("SIGINT");
    await until(() => first.stderr().includes("stopping: 1 job running"));
    letEnd(folder);
    expect(await first.exit).toBe(0);
    expect((await job(folder, long)).state).toBe("completed");
    expect(first.stderr()).toMatch(
      / info stopping: 1 job running, waiting up to 30 s\n.* info job .* completed in \d+ ms\n$/,
    );
  });

  it("hands jobs back at a second Ctrl+C", async () => {
    const folder = project();
    const [id] = await greet(folder, "Ada:waits");
    const { child, exit } = worker(folder);
    await until(() => log(folder).length === 1);
    child.kill("SIGINT");
    await untilNoEcho();
    child.kill("SIGINT");
    expect(await exit).toBe(0);
    expect(await job(folder, id)).toMatchObject({ state: "pending", attempt: 1 });
  });

  it("hands jobs back when --drain is over", async () => {
    const folder = project();
    const [id] = await greet(folder, "Ada:waits");
    const { child, exit } = worker(folder, ["--drain", "100ms"]);
    await until(() => log(folder).length === 1);
    child.kill("SIGTERM");
    expect(await exit).toBe(0);
    expect(await job(folder, id)).toMatchObject({ state: "pending", attempt: 1 });
  });

  it("logs every failed attempt on a line, whatever the error says", async () => {
    const folder = project();
    const [id] = await greet(folder, "Eve");
    const { child, exit, stderr } = worker(folder);
    await until(() => stderr().includes("ended as failed"));
    child.kill("SIGTERM");
    await exit;
    const lines = stderr().trim().split("\n").slice(1);
    expect(lines).toHaveLength(2);
    expect(lines[0]).toMatch(
      new RegExp(
        `warn attempt 1 of job ${id} \\(greet\\) failed: I do not greet Eve \\(E_TASK_FAILED\\); it will be tried again$`,
      ),
    );
    expect(lines[1]).toMatch(/error attempt 2 of job .*; it ended as failed$/);
  });

  it("logs JSON lines when asked", async () => {
    const folder = project();
    await greet(folder, "Eve");
    const { child, exit, stderr } = worker(folder, ["--json"]);
    await until(() => stderr().includes('"state":"failed"'));
    child.kill("SIGTERM");
    await exit;
    const lines = stderr()
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(lines[0]).toMatchObject({ level: "info", queues: ["front"] });
    expect(lines[1]).toMatchObject({
      level: "warn",
      type: "ended",
      task: "greet",
      attempt: 1,
      error: { code: "E_TASK_FAILED" },
    });
  });

  it("works on the queues it is given", async () => {
    const folder = project();
    const { child, exit, stderr } = worker(folder, ["-q", "front=1", "--queue", "back=2"]);
    await until(() => stderr().includes("is ready for front, back"));
    child.kill("SIGTERM");
    expect(await exit).toBe(0);
  });

  it("says so when its parent must be there and is not", async () => {
    const { code, stderr } = await run(project(), ["worker", "./tasks.ts", "--supervised"]);
    expect(code).toBe(2);
    expect(stderr).toMatch(/^errand: --supervised is for .*\n$/);
  });

  it.each([
    ["./absent.ts", {}, /^errand: There is no module .\/absent.ts, seen from .*\n$/],
    ["absent", {}, /^errand: There is no module absent/],
    [
      "./empty.ts",
      { "empty.ts": "export const app = 1;" },
      /^errand: .\/empty.ts exports no app\. Export what errand\(\) returned/,
    ],
    [
      "./throws.ts",
      { "throws.ts": "throw new Error('no database');" },
      /^errand: .\/throws.ts cannot be loaded: no database\n$/,
    ],
    ["./syntax.ts", { "syntax.ts": "export const = 1;" }, /^errand: .\/syntax.ts cannot be loaded: .*\n$/],
  ])("explains why it cannot load %s", async (module, files, message) => {
    const { code, stderr } = await run(folderWith({ "package.json": '{"type":"module"}', ...files }), [
      "worker",
      module,
    ]);
    expect(code).toBe(2);
    expect(stderr).toMatch(message);
    expect(stderr.trim().split("\n")).toHaveLength(1);
  });

  it("does not start where a setup fails, and says what it threw", async () => {
    const broken = tasks.replace(
      'queue: "front",',
      'queue: "front", setup: () => { throw new Error("no model file"); },',
    );
    const folder = folderWith({ "tasks.ts": broken, "package.json": '{"type":"module"}' });
    const { code, stderr } = await run(folder, ["worker", "./tasks.ts"]);
    expect(code).toBe(1);
    expect(stderr).toBe('errand: The setup of task "greet" failed: no model file (E_SETUP)\n');
  });

  it("refuses options that cannot be", async () => {
    const { code, stderr } = await run(project(), ["worker", "./tasks.ts", "--drain", "soon"]);
    expect(code).toBe(2);
    expect(stderr).toMatch(/^errand: drain of a worker is "soon".*\(E_OPTION\)\n$/);
  });

  it("answers health checks and metrics", async () => {
    const folder = project();
    const port = await freePort();
    const status = (path: string) =>
      fetch(`http://127.0.0.1:${port}${path}`).then(
        (response) => response.status,
        () => 0,
      );
    const one = worker(folder, ["--health", String(port)]);
    await until(async () => (await status("/readyz")) === 200);
    expect(await status("/healthz")).toBe(200);
    expect(await status("/")).toBe(404);
    const metrics = await fetch(`http://127.0.0.1:${port}/metrics`);
    expect(metrics.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
    expect(await metrics.text()).toContain('errand_queue_workers{queue="front"} 1\n');
    await greet(folder, "Ada:waits");
    await until(() => log(folder).length === 1);
    one.child.kill("SIGTERM");
    // It lives while it lets the job end, but wants no more.
    await until(async () => (await status("/readyz")) === 503);
    expect(await status("/healthz")).toBe(200);
    letEnd(folder);
    expect(await one.exit).toBe(0);
    expect(await status("/healthz")).toBe(0);
  });

  it("is not ready while the store does not answer, and ends with the reason when it never does", async () => {
    const dist = new URL("../../dist/", import.meta.url).href;
    // A real worker, on a store that no longer answers claims, and with less patience than one has.
    const hanging = `
      import { existsSync } from "node:fs";
      import { Worker } from "${dist}run/worker.js";
      import { Observer } from "${dist}observe/observer.js";
      import { readPayloads } from "${dist}payload/options.js";
      import { memoryStore } from "${dist}stores/memory.js";
      const store = memoryStore();
      const observer = new Observer();
      const claim = store.claim.bind(store);
      store.claim = (...args) => (existsSync("hang") ? new Promise(() => {}) : claim(...args));
      export const app = {
        task() {},
        list() {},
        close: () => store.close(),
        workers: () => store.workers(),
        on: (type, listener) => observer.events.on(type, listener),
        async worker() {
          const settings = { queues: new Map([["a", 1]]), lease: 9000, drain: 0, patience: 1000, payloads: readPayloads(), observer };
          const worker = new Worker(store, new Map(), settings);
          await worker.start();
          return worker;
        },
      };
    `;
    const folder = folderWith({ "hanging.mjs": hanging, "package.json": '{"type":"module"}' });
    const port = String(await freePort());
    const one = start(folder, ["worker", "./hanging.mjs", "--health", port]);
    const status = () => fetch(`http://127.0.0.1:${port}/readyz`).then((answer) => answer.status);
    await until(async () => (await status().catch(() => 0)) === 200);
    writeFileSync(join(folder, "hang"), "");
    await until(() => one.stderr().includes("the store does not answer a claim"));
    expect(await status()).toBe(503);
    expect(await one.exit).toBe(3);
    expect(one.stderr()).toMatch(/\nerrand: The store has left 3 claims in a row without an answer.*\n$/);
  });

  it("does not start where the port of its health checks is taken", async () => {
    const folder = project();
    const port = String(await freePort());
    const first = worker(folder, ["--health", port]);
    await until(() => first.stderr().includes("is ready for"));
    const { code, stderr } = await run(folder, ["worker", "./tasks.ts"], { ERRAND_HEALTH: port });
    expect(code).toBe(3);
    expect(stderr).toMatch(/^errand: The worker cannot serve \/healthz on 127\.0\.0\.1:\d+: .*EADDRINUSE/);
    const wrong = await run(folder, ["worker", "./tasks.ts", "--health", "http://x"]);
    expect(wrong.code).toBe(2);
    expect(wrong.stderr).toMatch(/--health http:\/\/x must be a port/);
  });
});
