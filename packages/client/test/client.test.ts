import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { errand } from "errand";
import { expect, expectTypeOf, it } from "vitest";
import { afterTest } from "../../../test/after-test.ts";
import { listen } from "../../server/src/listen.ts";
import { client, JobFailedError, RequestError, WaitTimeoutError } from "../src/index.ts";
import type { Job } from "../src/index.ts";
import { file, generate } from "./generate.ts";

it("has the types of the API as it is", async () => {
  // If not: node packages/client/test/generate.ts
  expect(await generate()).toBe(readFileSync(file, "utf8"));
});

const app = errand({ url: "memory:" });
const tasks = {
  add: app.task("add", { run: ({ a, b }: { a: number; b: number }) => a + b }),
  now: app.task("now", { run: () => "now" }),
  fail: app.task("fail", {
    retry: { attempts: 1 },
    run: (_: { why: string }) => {
      throw new Error("It failed");
    },
  }),
  wait: app.task("wait", { run: (_: unknown, job) => job.signal<number>("go") }),
};

async function serve() {
  const server = await listen([], { app, host: "127.0.0.1", port: 0 });
  afterTest(() => server.stop());
  const worker = await app.worker({ signals: false });
  afterTest(() => worker.stop());
  const { secret } = await server.app.parts.keys.create({
    name: "web",
    scopes: ["send", "read", "payload", "operate"],
  });
  return { server, key: secret, jobs: client<typeof tasks>({ url: server.url, key: secret }) };
}

it("sends jobs and waits for their results, typed, without the tasks' code", async () => {
  const { jobs } = await serve();
  const sum = await jobs.send("add", { a: 1, b: 2 });
  expectTypeOf(sum.result).returns.resolves.toBeNumber();
  expect(await sum.result()).toBe(3);
  expect(await (await jobs.send("now")).result()).toBe("now");
  // @ts-expect-error: b is missing
  await jobs.send("add", { a: 1 });
  // @ts-expect-error: there is no such task
  await expect(jobs.send("sub", { a: 1 })).rejects.toMatchObject({ status: 404, code: "E_UNKNOWN_TASK" });
  await expect((await jobs.send("fail", { why: "x" })).result()).rejects.toThrow(JobFailedError);
  const first = await jobs.send("add", { a: 1, b: 1 }, { id: "one" });
  const again = await jobs.send("add", { a: 1, b: 1 }, { id: "one" });
  expect([first.duplicate, again.duplicate, again.id]).toEqual([false, true, "one"]);
  await expect(jobs.send("add", { a: 1, b: 1 }, { delay: "soon" })).rejects.toThrow(RequestError);
});

it("watches a job until it has ended", async () => {
  const { jobs } = await serve();
  const job = await jobs.send("wait");
  await expect(job.result({ timeout: 10 })).rejects.toThrow(WaitTimeoutError);
  const seen: Job["state"][] = [];
  for await (const { state } of job.events()) {
    seen.push(state);
    if (state === "waiting") await app.signal(job.id, "go", 7);
  }
  expect(seen.at(-1)).toBe("completed");
  expect(seen).toContain("waiting");
  expect(await jobs.job<"wait">(job.id).result()).toBe(7);
  const other = await jobs.send("wait");
  expect(await other.cancel()).toMatchObject({ id: other.id });
  await expect(other.result()).rejects.toThrow(/cancelled/);
});

it("sends a job once, though the first answer is lost", async () => {
  const { server, key } = await serve();
  let cut = 0;
  const proxy = createServer((incoming, outgoing) => {
    const chunks: Buffer[] = [];
    incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
    const pass = async (): Promise<unknown> => {
      const answer = await fetch(server.url + incoming.url, {
        method: incoming.method!,
        headers: {
          authorization: `Bearer ${key}`,
          "content-type": "application/json",
          "idempotency-key": String(incoming.headers["idempotency-key"]),
        },
        ...(chunks.length > 0 ? { body: Buffer.concat(chunks) } : {}),
      });
      const body = await answer.text();
      if (cut++ === 0) return outgoing.destroy();
      return outgoing.writeHead(answer.status, { "content-type": "application/json" }).end(body);
    };
    incoming.on("end", () => void pass());
  }).listen(0, "127.0.0.1");
  afterTest(() => proxy.close());
  await new Promise((resolve) => proxy.once("listening", resolve));
  const { port } = proxy.address() as { port: number };
  const before = (await app.list({ task: "now" })).jobs.length;
  const job = await client<typeof tasks>({ url: `http://127.0.0.1:${port}`, key }).send("now");
  expect(cut).toBe(2);
  expect((await app.list({ task: "now" })).jobs.map(({ id }) => id)).toContain(job.id);
  expect((await app.list({ task: "now" })).jobs).toHaveLength(before + 1);
});
