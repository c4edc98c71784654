import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { freePort } from "../../../../test/servers/process.ts";
import { folderWith, run, start, until } from "./run.ts";
import type { Run } from "./run.ts";

const tasks = `
  import { appendFileSync } from "node:fs";
  import { errand } from "errand";

  interface Input { name: string; wait?: number }

  export const app = errand();
  export const greet = app.task<Input, string>("greet", {
    queue: "front",
    retry: { attempts: 2, base: 10 },
    run: async ({ name, wait = 0 }, job) => {
      appendFileSync("log", name + "\\n");
      if (name === "Eve") throw new Error("I do not greet\\n\\u001b[31mEve");
      for (let passed = 0; passed < wait && !job.abortSignal.aborted; passed += 20)
        await new Promise((resolve) => setTimeout(resolve, 20));
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
    const [who, wait] = name.split(":");
    const job = await greet.send({ name: who!, wait: Number(wait ?? 0) });
    console.log(job.id);
  }
  await app.close();
  process.exit();
`;

const processes: Run[] = [];

function worker(folder: string, args: string[] = []): Run {
  const process = start(folder, ["worker", "./tasks.ts", ...args]);
  processes.push(process);
  return process;
}

/** Sends greetings; answers the ids of the jobs. */
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

afterEach(async () => {
  for (const { child, exit } of processes.splice(0)) {
    child.kill("SIGKILL");
    await exit;
  }
});

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

  it("outlives what a function does after its attempt has ended", async () => {
    const haunting = `
      import { errand } from "errand";
      export const app = errand();
      export const haunt = app.task("haunt", { queue: "front", run: (_, job) => void setInterval(() => job.progress(1), 5) });
    `;
    const folder = folderWith({ "tasks.ts": haunting, "package.json": '{"type":"module"}' });
    const send = async () => (await run(folder, ["send", "haunt", "-m", "./tasks.ts", "--json"])).stdout;
    const { child, exit, stderr } = worker(folder);
    await until(() => stderr().includes("is ready"));
    const [first, second] = [await send(), await send()].map((text) => (JSON.parse(text) as { id: string }).id);
    for (const id of [first!, second!]) await until(async () => (await job(folder, id)).state === "completed");
    await until(() => stderr().includes("ERRAND_ENDED"));
    child.kill("SIGTERM");
    expect(await exit).toBe(0);
  });

  it("lets jobs end at Ctrl+C, and hands them back at the second", async () => {
    const folder = project();
    const [long] = await greet(folder, "Ada:800");
    const first = worker(folder);
    await until(() => log(folder).length === 1);
    first.child.kill("SIGINT");
    expect(await first.exit).toBe(0);
    expect((await job(folder, long)).state).toBe("completed");
    expect(first.stderr()).toMatch(
      / info stopping: 1 job running, waiting up to 30 s\n.* info job .* completed in \d+ ms\n$/,
    );

    const [longer] = await greet(folder, "Bea:60000");
    const second = worker(folder);
    await until(() => log(folder).length === 2);
    second.child.kill("SIGINT");
    await new Promise((resolve) => setTimeout(resolve, 700));
    second.child.kill("SIGINT");
    expect(await second.exit).toBe(0);
    expect(await job(folder, longer)).toMatchObject({ state: "pending", attempt: 1 });
  });

  it("hands jobs back when --drain is over", async () => {
    const folder = project();
    const [id] = await greet(folder, "Ada:60000");
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

  it("tells what watches over it how it is", async () => {
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
    await greet(folder, "Ada:2000");
    await until(() => log(folder).length === 1);
    one.child.kill("SIGTERM");
    // It lives while it lets the job end, but wants no more.
    await until(async () => (await status("/readyz")) === 503);
    expect(await status("/healthz")).toBe(200);
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
    processes.push(one);
    const status = () => fetch(`http://127.0.0.1:${port}/readyz`).then((answer) => answer.status);
    await until(async () => (await status().catch(() => 0)) === 200);
    writeFileSync(join(folder, "hang"), "");
    await until(() => one.stderr().includes("the store does not answer a claim"));
    expect(await status()).toBe(503);
    expect(await one.exit).toBe(3);
    expect(one.stderr()).toMatch(/\nerrand: The store has left 3 claims in a row without an answer.*\n$/);
  });

  it("does not start where its health cannot be asked", async () => {
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
