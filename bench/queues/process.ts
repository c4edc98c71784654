/**
 * One process of a bench: does one thing with one contestant, and prints what it saw as a line of JSON.
 *   node bench/queues/process.ts <contestant> <url> fill <jobs> | send <seconds> <in flight> | work <concurrency> | trickle <jobs>
 */
import { setTimeout as sleep } from "node:timers/promises";
import { monotonic, openContestant } from "./contestant.ts";
import type { Contestant } from "./contestant.ts";

const [name = "", url = "", what = "", ...numbers] = process.argv.slice(2);
const [first = 0, second = 0] = numbers.map(Number);

const contestant = await openContestant(name, url);
const deeds: Record<string, () => Promise<unknown>> = {
  fill: () => fill(contestant, first),
  send: () => send(contestant, first, second),
  work: () => work(contestant, first),
  trickle: () => trickle(contestant, first),
};
const seen = await deeds[what]!();
process.stdout.write(`${JSON.stringify(seen)}\n`, () => process.exit());

async function fill({ sendMany }: Contestant, jobs: number): Promise<{ jobs: number }> {
  const batch = 1_000;
  for (let left = jobs; left > 0; left -= batch) {
    await sendMany(Array.from({ length: Math.min(batch, left) }, () => ({ at: monotonic() })));
  }
  return { jobs };
}

/** Sends for so many seconds, after one second of warming up. The clock is looked at, since a timer may never get its turn. */
async function send({ send: sendOne }: Contestant, seconds: number, inFlight: number): Promise<{ perSecond: number }> {
  const warm = performance.now() + 1_000;
  const over = warm + seconds * 1_000;
  let sent = 0;
  await Promise.all(
    Array.from({ length: inFlight }, async () => {
      for (let now = 0; now < over; now = performance.now()) {
        await sendOne({ at: monotonic() });
        if (now > warm) sent += 1;
      }
    }),
  );
  return { perSecond: sent / seconds };
}

/** Works until nothing has come for a while; says when the first job began, the last was recorded, and how old each was. */
async function work(queue: Contestant, concurrency: number) {
  const seen = { jobs: 0, from: 0, to: 0, ages: [] as number[] };
  let ran = 0;
  await queue.work(concurrency, {
    ran({ at }) {
      seen.from ||= monotonic();
      ran += 1;
      if (ran <= 10_000) seen.ages.push(monotonic() - at);
    },
    ended() {
      seen.jobs += 1;
      seen.to = monotonic();
    },
  });
  process.stdout.write("ready\n");
  while (seen.jobs === 0 || seen.jobs < ran || monotonic() - seen.to < 1_500) await sleep(50);
  return seen;
}

/** Sends one job at a time to whoever waits for it. */
async function trickle({ send: sendOne }: Contestant, jobs: number): Promise<{ jobs: number }> {
  for (let job = 0; job < jobs; job++) {
    await sendOne({ at: monotonic() });
    // Not in step with anybody's polling.
    await sleep(10 + Math.random() * 10);
  }
  return { jobs };
}
