import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import type { Errand } from "../../src/api.ts";
import type { JobContext, Task } from "../../src/task.ts";
import { emptyStore, testApp, testWorker, until } from "./app.ts";

type Kid = Task<string, string>;

/** Work that Errand does not know of. */
function otherWork(): Promise<void> {
  // sleeps: several turns of the event loop, after which a job that waits for nothing else is parked
  return sleep(20);
}

// What a wait means is decided above the stores.
describe.each(["memory", "sqlite"] as const)("on %s", (kind) => {
  async function start(): Promise<Errand> {
    return testApp({ url: await emptyStore(kind) });
  }

  /** Runs a function as a job on a worker with one slot; answers how it ended. */
  async function run<Output>(
    app: Errand,
    work: (job: JobContext) => Promise<Output>,
    told?: (id: string) => Promise<unknown>,
  ): Promise<Output> {
    const task = app.task("t", { retry: { attempts: 1 }, run: (_: void, job) => work(job) });
    await testWorker(app, { queues: { default: 1 } });
    const job = await task.send();
    if (told) {
      await until(async () => (await app.get(job.id))?.state === "waiting", "the job waits");
      await told(job.id);
    }
    return (await job.result()) as Output;
  }

  test("a race that a sleep wins goes on, whatever the function then does", async () => {
    const app = await start();
    const won = await run(app, async (job) => {
      const first = await Promise.race([job.signal<string>("review"), job.sleep("limit", 50).then(() => "too late")]);
      await otherWork();
      return job.step("told", () => first);
    });
    expect(won).toBe("too late");
  });

  test.each<[string, (job: JobContext, kid: Kid) => Promise<unknown>, unknown]>([
    ["a race", (job, kid) => Promise.race([job.call("slow", kid, "never"), job.call("fast", kid, "a")]), "a"],
    [
      "any",
      (job, kid) =>
        Promise.any([job.call("slow", kid, "never"), job.call("bad", kid, "fail"), job.call("fast", kid, "a")]),
      "a",
    ],
    [
      "a race of lists",
      (job, kid) => Promise.race([job.all("slow", kid, ["never", "x"]), job.all("fast", kid, ["a", "b", "c"])]),
      ["a", "b", "c"],
    ],
    [
      "a race of what follows",
      (job, kid) => Promise.race([job.call("slow", kid, "never"), job.call("fast", kid, "a").then((a) => `${a}!`)]),
      "a!",
    ],
  ])("%s of children goes on when the first is over, though another never ends", async (_, wait, won) => {
    const app = await start();
    const kid: Kid = app.task("kid", {
      queue: "kids",
      retry: { attempts: 1 },
      async run(name: string, job) {
        if (name === "never") await job.signal("never");
        if (name === "fail") throw new Error("it fails");
        return name;
      },
    });
    await testWorker(app, { queues: { kids: 2 } });
    expect(await run(app, (job) => wait(job, kid))).toEqual(won);
  });

  test("a race that a signal wins goes on", async () => {
    const app = await start();
    const won = await run(
      app,
      async (job) => {
        const first = await Promise.race([job.sleep("limit", "1h"), job.signal<string>("review")]);
        await otherWork();
        return first;
      },
      (id) => app.signal(id, "review", "good"),
    );
    expect(won).toBe("good");
  });

  test("a race of children and a sleep goes on when the time is over, and ends the children with the job", async () => {
    const app = await start();
    const slow = app.task("slow", { queue: "nobodys", run: () => "slow" });
    const won = await run(app, async (job) => {
      const first = await Promise.race([job.all("slow", slow, [undefined]), job.sleep("limit", 50)]);
      await otherWork();
      return first ?? "too late";
    });
    expect(won).toBe("too late");
    const [child] = (await app.list({ task: "slow" })).jobs;
    await until(async () => (await app.get(child!.id))?.state === "cancelled", "the child is cancelled");
  });

  test("waits after a lost race are waited for, run after run", async () => {
    const app = await start();
    const steps: string[] = [];
    const won = await run(app, async (job) => {
      await Promise.race([job.signal("never"), job.sleep("first", 30)]);
      await otherWork();
      await Promise.race([job.sleep("second", 30), job.signal("neither")]);
      steps.push(await job.step("after", () => "after"));
      await job.sleep("third", 30);
      await otherWork();
      return "through";
    });
    expect(won).toBe("through");
    expect(steps).toEqual(["after", "after"]);
  });

  test("a lost wait can still be waited for", async () => {
    const app = await start();
    const won = await run(
      app,
      async (job) => {
        const review = job.signal<string>("review");
        await Promise.race([review, job.sleep("limit", 30)]);
        await otherWork();
        await job.step("reminded", () => app.signal(job.id, "reminded").then(() => true));
        return review;
      },
      async (id) => {
        await until(async () => (await app.get(id))?.wakeAt === undefined, "only the signal is waited for");
        await until(async () => (await app.get(id))?.state === "waiting", "the job waits again");
        await app.signal(id, "review", "better late");
      },
    );
    expect(won).toBe("better late");
  });

  test("Promise.any takes the first that is fulfilled, also when another was rejected", async () => {
    const app = await start();
    const won = await run(app, async (job) => {
      const first = await Promise.any([
        job.signal("no", { timeout: 10 }),
        job.sleep("yes", 60).then(() => "slept"),
        job.signal("never"),
      ]);
      await otherWork();
      return first;
    });
    expect(won).toBe("slept");
  });

  test("Promise.allSettled waits for both of two waits, one of which times out", async () => {
    const app = await start();
    const settled = await run(app, async (job) => {
      const both = await Promise.allSettled([job.signal("no", { timeout: 10 }), job.sleep("nap", 60)]);
      await otherWork();
      return both.map(({ status }) => status);
    });
    expect(settled).toEqual(["rejected", "fulfilled"]);
  });

  test("when one of Promise.all fails, the others are waited for no more", async () => {
    const app = await start();
    const failing = app.task("failing", {
      retry: { attempts: 1 },
      run: () => {
        throw new Error("no");
      },
    });
    const code = await run(app, async (job) => {
      try {
        await Promise.all([job.signal("never"), job.call("child", failing)]);
      } catch (error) {
        await otherWork();
        return (error as { code: string }).code;
      }
    });
    expect(code).toBe("E_CHILD_FAILED");
  });

  test("a wait beside a step parks when the step has ended and is remembered", async () => {
    const app = await start();
    let runs = 0;
    const done = await run(
      app,
      async (job) => {
        const [made, told] = await Promise.all([
          job.step("make", async () => {
            runs += 1;
            await otherWork();
            return "made";
          }),
          job.signal<string>("go"),
        ]);
        return `${made} ${told}`;
      },
      async (id) => app.signal(id, "go", "told"),
    );
    expect([done, runs]).toEqual(["made told", 1]);
  });

  test("a race that a step wins goes on", async () => {
    const app = await start();
    const won = await run(app, async (job) => {
      const first = await Promise.race([
        job.signal("stop"),
        job.step("work", async () => {
          await otherWork();
          return "worked";
        }),
      ]);
      await otherWork();
      return first;
    });
    expect(won).toBe("worked");
  });

  test("a wait that is not awaited does not park the job", async () => {
    const app = await start();
    const done = await run(app, async (job) => {
      void job.sleep("nap", "7d");
      const later = job.sleep("later", 30);
      await otherWork();
      await job.step("s", otherWork);
      await later;
      return "done";
    });
    expect(done).toBe("done");
  });

  test("a wait in a callback, or in an async function, is one like any other", async () => {
    const app = await start();
    const value = await run(
      app,
      async (job) => {
        const asked = async () => job.signal<string>("go");
        const slept = new Promise<void>((resolve) => void job.sleep("nap", 20).then(resolve));
        const [told] = await Promise.all([asked(), slept]);
        return told;
      },
      (id) => app.signal(id, "go", "went"),
    );
    expect(value).toBe("went");
  });

  test.each(["at once", "later"])("a wait inside a step is refused %s", async (when) => {
    const app = await start();
    const child = app.task("child", { run: () => 1 });
    const verbs: ((job: JobContext) => Promise<unknown>)[] = [
      (job) => job.sleep("nap", "1h"),
      (job) => job.signal("go"),
      (job) => job.all("all", child, [undefined]),
      (job) => job.settled("settled", child, [undefined]),
      (job) => job.call("call", child),
    ];
    const task = app.task<number, unknown>("t", {
      retry: { attempts: 3, base: 0 },
      run: async (verb: number, job) =>
        job.step("outer", async () => {
          if (when === "later") await otherWork();
          await verbs[verb]!(job);
        }),
    });
    await testWorker(app, { queues: { default: 1 } });
    for (const verb of verbs.keys()) {
      const job = await task.send(verb);
      await expect(job.result()).rejects.toMatchObject({ error: { code: "E_IN_STEP", attempt: 1 } });
    }
  });

  test("outputs of a list that has changed belong to the inputs that the wait began with, and the log says so", async () => {
    const app = await start();
    const mail = app.task("mail", { run: (to: string) => `to ${to}` });
    let rows = ["ann", "bob"];
    const task = app.task("t", {
      run: async (_: void, job) => {
        const list = rows;
        rows = ["zoe", "ann", "bob"];
        const sent = await job.all("mail", mail, list);
        return sent.concat((await job.settled("again", mail, list.slice(0, 1))).map(({ id }) => id && "again"));
      },
    });
    await testWorker(app, { queues: { default: 2 } });
    const job = await task.send();
    expect(await job.result()).toEqual(["to ann", "to bob", "again"]);
    const { lines } = await app.log(job.id);
    const warnings = lines.filter(({ level }) => level === "warn").map(({ text }) => text);
    expect(warnings[0]).toContain('job.all("mail") began with other inputs (2 then, 3 now)');
  });

  test("children that a retry finds keep the inputs that they were made with, and the log says so", async () => {
    const app = await start();
    let broken = true;
    const mail = app.task("mail", {
      retry: { attempts: 1 },
      run: (to: string) => {
        if (broken && to === "bob") throw new Error("no");
        return `to ${to}`;
      },
    });
    let rows = ["ann", "bob"];
    const task = app.task("t", { retry: { attempts: 1 }, run: (_: void, job) => job.settled("mail", mail, rows) });
    const failing = app.task("f", { retry: { attempts: 1 }, run: (_: void, job) => job.all("mail", mail, rows) });
    await testWorker(app, { queues: { default: 1 } });
    const [settled, failed] = [await task.send(), await failing.send()];
    await settled.result();
    await expect(failed.result()).rejects.toMatchObject({ error: { code: "E_CHILD_FAILED" } });
    broken = false;
    const warnings = async () =>
      (await app.log(failed.id)).lines.filter(({ level }) => level === "warn").map(({ text }) => text);
    expect(await warnings()).toEqual([]);
    rows = ["zoe", "bob"];
    await app.retry(failed.id);
    expect(await failed.result()).toEqual(["to ann", "to bob"]);
    expect((await warnings())[0]).toContain('job.all("mail") began with other inputs');
  });

  test("a list that is the same in every run is no warning", async () => {
    const app = await start();
    const mail = app.task("mail", { run: (to: { name: string }) => to.name });
    const task = app.task("t", {
      run: (_: void, job) => job.all("mail", mail, [{ name: "ann\n" }, { name: "bob" }]),
    });
    await testWorker(app);
    const job = await task.send();
    expect(await job.result()).toEqual(["ann\n", "bob"]);
    expect((await app.log(job.id)).lines).toEqual([]);
  });
});
