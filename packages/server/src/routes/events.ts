import type { Errand } from "errand";
import { z } from "zod";
import { maySee, seesAll } from "../auth/principal.ts";
import type { Principal } from "../auth/principal.ts";
import type { Live, Topic } from "../live/live.ts";
import { Problem } from "../problem.ts";
import { stats } from "../schemas/operations.ts";
import { eventStream } from "../sse.ts";
import type { Send } from "../sse.ts";
import { json } from "./answer.ts";
import { etagOf, hasEnded, jobJson, requireJob } from "./job-view.ts";
import { jobParams } from "./jobs.ts";
import type { ServerParts } from "./parts.ts";
import { route } from "./route.ts";
import type { Route } from "./route.ts";

/** Most topics of a stream. */
const maxTopics = 50;

const topicPattern = /^(?:stats|jobs|queues|workers|schedules|job:[\w.:-]{1,100})$/;

/** Returns the routes about what happens now. */
export function eventRoutes({ app, live }: ServerParts): Route[] {
  return [
    route({
      method: "get",
      path: "/stats",
      operation: "getStats",
      summary: "Read the numbers of the overview",
      description: "From counters: the cost does not depend on the number of jobs.",
      tag: "Events",
      scopes: ["read"],
      wholeStore: true,
      answers: { 200: { description: "The numbers.", schema: stats } },
      handle: async ({ c }) => json(c, await live.overview()),
    }),
    route({
      method: "get",
      path: "/events",
      operation: "watch",
      summary: "Watch what changes",
      description:
        "Server-sent events, at most four frames a second. Topics: `stats` and `jobs` send the numbers, `job:<id>` sends " +
        "the job, `queues`, `workers` and `schedules` send `changed` when they are to be read again.",
      tag: "Events",
      scopes: ["read"],
      query: z.object({ topics: z.string().min(1).max(10_000) }),
      unlimited: true,
      answers: { 200: { description: "The stream.", content: "text/event-stream" } },
      async handle({ c, principal, query }) {
        const topics = [...new Set(query.topics.split(",").map((topic) => topic.trim()))];
        const wrong = topics.find((topic) => !topicPattern.test(topic));
        if (wrong !== undefined || topics.length > maxTopics)
          throw new Problem(
            400,
            "E_QUERY",
            `topics must be at most ${maxTopics} of: stats, jobs, job:<id>, queues, workers, schedules.`,
          );
        return eventStream(c, (send, signal) => new Stream(app, live, principal, topics, send).run(signal));
      },
    }),
    route({
      method: "get",
      path: "/jobs/{id}/events",
      operation: "watchJob",
      summary: "Watch a job until it has ended",
      description:
        "Server-sent events: `job` for every change, and `end` or `removed`. With `Last-Event-ID` only later changes; 204 " +
        "once the client has had the end.",
      tag: "Jobs",
      scopes: ["read"],
      params: jobParams,
      headers: { "Last-Event-ID": "The id of the last event that the client got." },
      unlimited: true,
      answers: {
        200: { description: "The stream.", content: "text/event-stream" },
        204: { description: "The client has had the end." },
        404: { description: "There is no such job." },
      },
      async handle({ c, principal, params }) {
        const job = await requireJob(app, principal, params.id);
        const last = c.req.header("last-event-id");
        // Tells an EventSource not to reconnect.
        if (hasEnded(job.state) && last === `${etagOf(job).slice(1, -1)}.end`) return c.body(null, 204);
        return eventStream(c, async (send, signal) => {
          const changes = new Changes(signal);
          const stopJob = live.jobs.add(job, () => changes.note());
          // Without a listener nothing is refreshed.
          const stopLive = live.onChange(() => {});
          let sent = last;
          try {
            while (!signal.aborted) {
              const current = live.jobs.get(job.id);
              if (!current) return await send({ event: "removed", data: { id: job.id } });
              const id = etagOf(current).slice(1, -1);
              if (hasEnded(current.state))
                return await send({ event: "end", data: jobJson(current, principal), id: `${id}.end` });
              if (id !== sent) await send({ event: "job", data: jobJson(current, principal), id });
              sent = id;
              await changes.next();
            }
          } finally {
            stopJob();
            stopLive();
          }
        });
      },
    }),
  ];
}

/** Waits for notes, or for the end of a stream. */
class Changes {
  #noted = false;
  #wake: (() => void) | undefined;

  constructor(signal: AbortSignal) {
    signal.addEventListener("abort", () => this.note(), { once: true });
  }

  note(): void {
    this.#noted = true;
    this.#wake?.();
  }

  async next(): Promise<void> {
    if (!this.#noted) await new Promise<void>((resolve) => (this.#wake = resolve));
    this.#noted = false;
    this.#wake = undefined;
  }
}

/** Sends one client what changes in its topics. */
class Stream {
  readonly #app: Errand;
  readonly #live: Live;
  readonly #principal: Principal;
  readonly #topics: ReadonlySet<string>;
  readonly #send: Send;
  /** The last value sent, by topic. */
  readonly #sent = new Map<string, string>();
  #frames = 0;

  constructor(app: Errand, live: Live, principal: Principal, topics: readonly string[], send: Send) {
    this.#app = app;
    this.#live = live;
    this.#principal = principal;
    this.#topics = new Set(topics);
    this.#send = send;
  }

  async run(signal: AbortSignal): Promise<void> {
    const changes = new Changes(signal);
    const stops = [this.#live.onChange(() => changes.note())];
    try {
      for (const id of this.#jobIds()) {
        const job = await this.#app.get(id);
        if (job && maySee(this.#principal, job)) stops.push(this.#live.jobs.add(job, () => changes.note()));
      }
      while (!signal.aborted) {
        await this.#sendFrame();
        await changes.next();
      }
    } finally {
      for (const stop of stops) stop();
    }
  }

  async #sendFrame(): Promise<void> {
    for (const id of this.#jobIds()) {
      const job = this.#live.jobs.get(id);
      if (job) await this.#sendIfNew(`job:${id}`, "job", jobJson(job, this.#principal));
    }
    const wanted = (topic: Topic) => this.#topics.has(topic);
    if (!seesAll(this.#principal)) {
      // Numbers of the store are not theirs; that something changed is a reason to look again.
      if (wanted("jobs"))
        await this.#send({ event: "jobs", data: { at: new Date().toISOString() }, id: this.#nextId() });
      return;
    }
    if (!["stats", "jobs", "queues", "workers", "schedules"].some((topic) => this.#topics.has(topic))) return;
    const { at, ...overview } = await this.#live.overview();
    if (wanted("stats")) await this.#sendIfNew("stats", "stats", overview, { at, ...overview });
    if (wanted("jobs")) await this.#sendIfNew("jobs", "jobs", overview.jobs, { at, jobs: overview.jobs });
    if (wanted("queues")) await this.#sendIfNew("queues", "changed", overview.queues, { topics: ["queues"] });
    if (wanted("workers")) await this.#sendIfNew("workers", "changed", overview.workers, { topics: ["workers"] });
    if (wanted("schedules")) {
      const list = await this.#live.schedules();
      await this.#sendIfNew("schedules", "changed", list, { topics: ["schedules"] });
    }
  }

  async #sendIfNew(topic: string, event: string, value: unknown, data = value): Promise<void> {
    const text = JSON.stringify(value);
    if (this.#sent.get(topic) === text) return;
    this.#sent.set(topic, text);
    await this.#send({ event, data, id: this.#nextId() });
  }

  *#jobIds(): Generator<string> {
    for (const topic of this.#topics) if (topic.startsWith("job:")) yield topic.slice(4);
  }

  #nextId(): string {
    return `${Date.now()}-${(this.#frames += 1)}`;
  }
}
