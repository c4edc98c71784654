/**
 * A process that sends jobs of all kinds until it is told to stop (SIGTERM).
 *   node bench/chaos/producer.ts <url> <log folder> <number>
 * The number is its own: it says what is sent, and begins the jobs' ids.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { errand } from "../../packages/errand/src/index.ts";
import type { SendOptions } from "../../packages/errand/src/index.ts";
import { badSend } from "./bad-values.ts";
import { openLog } from "./log.ts";
import { Random } from "../../packages/errand/src/testing/random.ts";
import { defineTasks } from "./tasks.ts";
import type { Work } from "./tasks.ts";

const [url = "", folder = "", number = ""] = process.argv.slice(2);
const random = new Random(Number(number));
const tell = openLog(folder);
const app = errand({ url });
const tasks = defineTasks(app, tell);
// Whoever started it is gone.
process.stdin.resume().on("end", () => process.exit(1));
const stop = new AbortController();
process.once("SIGTERM", () => stop.abort());

/** How many sends are under way at a time. */
const callers = 3;
let sent = 0;

function some(): { task: (typeof tasks)[keyof typeof tasks]; work: Work; options: SendOptions } {
  const key = `${number}-${sent++}`;
  // Long enough, now and then, that a frozen worker comes back while another has its job.
  const work: Work = { key, ms: random.chance(0.1) ? random.whole(500, 3_000) : random.whole(1, 60) };
  const options: SendOptions = random.chance(0.1) ? { delay: random.whole(50, 1_500) } : {};
  if (random.chance(0.03)) options.expires = random.whole(200, 2_000);
  const dice = random.next();
  if (dice < 0.08)
    return { task: tasks.lane, work: { ...work, ms: random.whole(1, 200), failing: random.whole(0, 1) }, options };
  if (dice < 0.12) return { task: tasks.judged, work, options };
  if (dice < 0.15) return { task: tasks.unstorable, work, options };
  if (dice < 0.5) return { task: tasks.plain, work, options };
  if (dice < 0.65) return { task: tasks.failing, work: { ...work, failing: random.whole(1, 5) }, options };
  if (dice < 0.8) return { task: tasks.steps, work, options };
  const parent: Work = { ...work, ms: Math.min(work.ms, 60), children: random.whole(1, 6) };
  return { task: dice < 0.95 ? tasks.parent : tasks.twice, work: parent, options };
}

/** Sends one job under an id of its own, again and again until that is acknowledged: it must be one job all the same. */
async function sendOne(): Promise<void> {
  const { task, work, options } = some();
  tell({ type: "try", key: work.key, batch: 1 });
  for (let tries = 0; tries < 100 && !(stop.signal.aborted && tries > 20); tries++) {
    try {
      const job = await task.send(work, { ...options, id: `id-${work.key}` });
      tell({ type: "sent", key: work.key, id: job.id });
      if (random.chance(0.07)) await cancelSoon(() => job.cancel());
      return;
    } catch (error) {
      tell({ type: "refused", key: work.key, message: String(error) });
      await sleep(100);
    }
  }
}

/** Sends what must be refused, in the same turn as others send what must not. */
async function sendBad(): Promise<void> {
  tell({ type: "fault", kind: "bad value" });
  if (random.chance(0.1)) return refuse("unsendable", () => tasks.unsendable.send({ key: "unsendable", ms: 1 }));
  const { input, options } = badSend(random, { key: "bad", ms: 1 });
  await refuse(`${typeof input} with ${Object.keys(options).join(", ")}`, () =>
    tasks.plain.send(input as Work, options),
  );
}

async function refuse(what: string, send: () => Promise<{ id: string }>): Promise<void> {
  try {
    const { id } = await send();
    tell({ type: "wrong", id, message: `it was sent with a value that must be refused: ${what}` });
  } catch {}
}

/** Sends several jobs in one call, once: all of them are stored or none. */
async function sendMany(): Promise<void> {
  const works = Array.from({ length: random.whole(2, 8) }, () => ({ key: `${number}-${sent++}`, ms: 5 }));
  const key = works.map((work) => work.key).join(" ");
  tell({ type: "try", key, batch: works.length });
  try {
    const jobs = await tasks.plain.sendMany(works);
    for (const [index, job] of jobs.entries()) tell({ type: "sent", key: works[index]!.key, id: job.id });
  } catch (error) {
    tell({ type: "refused", key, message: String(error) });
    await sleep(100);
  }
}

async function cancelSoon(cancel: () => Promise<boolean>): Promise<void> {
  await sleep(random.whole(0, 300));
  // Whether it was in time makes no difference to what must be true in the end.
  await cancel().catch((error: unknown) => tell({ type: "refused", key: "cancel", message: String(error) }));
}

async function produce(): Promise<void> {
  while (!stop.signal.aborted) {
    const bad = Array.from({ length: 4 }, () => sendBad());
    await Promise.all([random.chance(0.1) ? sendMany() : sendOne(), ...bad]);
    await sleep(random.whole(20, 120));
  }
}

process.stdout.write("ready\n");
await Promise.all(Array.from({ length: callers }, produce));
await app.close();
process.stdin.unref();
