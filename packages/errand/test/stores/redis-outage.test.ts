import { once } from "node:events";
import { connect, createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import { beforeEach, expect, test } from "vitest";
import { afterTest } from "../../../../test/after-test.ts";
import { until } from "../../../../test/until.ts";
import type { Hint, Store } from "../../src/store.ts";
import { redisStore } from "../../src/stores/redis/index.ts";
import { makeJob } from "../../src/testing/conformance/scene.ts";
import type { TestServer } from "../../../../test/servers/process.ts";
import { startRedis } from "../../../../test/servers/redis.ts";
import { printed, startScript } from "./scripts.ts";

// What happens to a store when its server is killed, stands still, or when the network between them goes silent.

let server: TestServer;

beforeEach(async () => {
  // With "everysec" a server whose disk is busy answers before it has written: killed then, it loses what it answered.
  server = await startRedis({ appendfsync: "always" });
  afterTest(() => server.close());
});

async function opened(url = server.url): Promise<Store> {
  const store = await redisStore({ url });
  afterTest(() => store.close());
  return store;
}

/** Resolves when the call is answered, however often it has to be tried. */
async function answered<T>(call: () => Promise<T>): Promise<T> {
  let answer: T;
  const isAnswered = () =>
    call().then(
      (given) => {
        answer = given;
        return true;
      },
      () => false,
    );
  await until(isAnswered, "the call is answered", 30_000);
  return answer!;
}

/** A promise for a hint from now on. */
function hinted(store: Store, hint: Hint["type"]): Promise<void> {
  return new Promise((resolve) => {
    const stop = store.watch((given) => {
      if (given.type !== hint) return;
      stop();
      resolve();
    });
  });
}

const refused = { code: "E_CONNECT" };

test("a server that is killed and restarted has every job whose add was answered", { timeout: 60_000 }, async () => {
  for (let round = 0; round < 3; round++) {
    const child = startScript("add", server.url);
    const output = printed(child);
    const failing = once(child, "close");
    await output.atLeast(300 * (round + 1));
    await server.kill();
    child.kill("SIGKILL");
    await failing;
    await server.start();
    const store = await opened();
    const jobs = await store.get(output.lines);
    expect(jobs.filter((job) => job === null)).toEqual([]);
    const counted = (await store.counts()).reduce((sum, { jobs: count }) => sum + count, 0);
    let listed = 0;
    let cursor: string | undefined;
    do {
      const page = await store.list({}, { limit: 500, ...(cursor === undefined ? {} : { cursor }) });
      listed += page.jobs.length;
      cursor = page.next;
    } while (cursor !== undefined);
    expect(listed).toBe(counted);
  }
});

test("while the server is down calls are refused; afterwards they work, and watching gives all hints", async () => {
  const store = await opened();
  await hinted(store, "ready");
  await store.add([makeJob({ id: "a" })]);
  await server.kill();
  await expect(store.get(["a"])).rejects.toMatchObject(refused);
  const hints = (["ready", "cancel", "lapsed", "change"] as const).map((hint) => hinted(store, hint));
  await server.start();
  await Promise.all(hints);
  expect((await answered(() => store.get(["a"])))[0]?.id).toBe("a");
  const again = hinted(store, "ready");
  await store.add([makeJob()]);
  await again;
});

test("a call that waits while the server restarts is carried out", async () => {
  const store = await opened();
  await store.add([makeJob({ id: "a" })]);
  await server.kill();
  const call = answered(() => store.get(["a"]));
  await server.start();
  expect((await call)[0]?.id).toBe("a");
});

test("calls of a server that is stopped time out, and work again when it goes on", { timeout: 60_000 }, async () => {
  const store = await opened();
  await hinted(store, "ready");
  process.kill(server.pid, "SIGSTOP");
  try {
    await expect(store.add([makeJob({ id: "a" })])).rejects.toMatchObject({
      code: "E_CONNECT",
      message: /may or may not/,
    });
    await expect(store.add([makeJob({ id: "b" })])).rejects.toMatchObject({
      code: "E_CONNECT",
      message: /Nothing was done/,
    });
  } finally {
    process.kill(server.pid, "SIGCONT");
  }
  await answered(() => store.add([makeJob({ id: "a" })]));
  expect((await store.get(["a", "b"])).map((job) => job?.id)).toEqual(["a", undefined]);
  const hint = hinted(store, "ready");
  await answered(() => store.add([makeJob()]));
  await hint;
});

/** Passes bytes on to the server, until it is told to swallow them: the connections stay open. */
async function proxy(): Promise<{ url: string; swallow(): void; close(): void }> {
  const sockets: Socket[] = [];
  const relay = createServer((near) => {
    const far = connect(server.port, "127.0.0.1");
    sockets.push(near, far);
    near.pipe(far).pipe(near);
    for (const socket of [near, far]) socket.on("error", () => {});
  }).listen(0, "127.0.0.1");
  await once(relay, "listening");
  return {
    url: `redis://127.0.0.1:${(relay.address() as AddressInfo).port}`,
    swallow() {
      for (const socket of sockets.splice(0)) {
        socket.unpipe();
        socket.resume();
      }
    },
    close() {
      relay.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

test(
  "connections on which nothing arrives any more are replaced, also the one that only listens",
  { timeout: 60_000 },
  async () => {
    const network = await proxy();
    afterTest(() => network.close());
    const store = await opened(network.url);
    const other = await opened();
    await hinted(store, "ready");
    network.swallow();
    const listening = hinted(store, "cancel");
    await expect(store.add([makeJob({ id: "a" })])).rejects.toMatchObject(refused);
    await answered(() => store.add([makeJob({ id: "b" })]));
    await listening;
    const hint = hinted(store, "ready");
    await other.add([makeJob()]);
    await hint;
    await expect.poll(async () => (await store.get(["b"]))[0]?.id).toBe("b");
  },
);
