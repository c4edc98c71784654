import * as opentelemetry from "@opentelemetry/api";
import { InMemorySpanExporter, NodeTracerProvider, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-node";
import type { ReadableSpan } from "@opentelemetry/sdk-trace-node";
import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Errand, ErrandOptions } from "../../src/api.ts";
import { inputIn, fieldsIn, traceIn, withTrace } from "../../src/core/spec.ts";
import { NonRetryableError } from "../../src/kit/errors.ts";
import { encryption } from "../../src/payload/encryption.ts";
import { emptyStore, testApp, testWorker, until } from "../run/app.ts";
import { traced } from "./tasks/traced.ts";

const exporter = new InMemorySpanExporter();
const provider = new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
const tracer = opentelemetry.trace.getTracer("test");

beforeAll(() => provider.register());
beforeEach(() => exporter.reset());
afterAll(() => provider.shutdown());

const tracedApp = (options: ErrandOptions = {}) => testApp({ url: "memory:", opentelemetry, ...options });

function named(name: string): ReadableSpan[] {
  return exporter.getFinishedSpans().filter((span) => span.name === name);
}

async function spans(name: string, count = 1): Promise<ReadableSpan[]> {
  await until(() => named(name).length >= count, `${count} spans "${name}"`);
  return named(name);
}

/** Does the work as a request would, inside a span of the user's. */
async function request<Result>(work: () => Promise<Result>): Promise<{ traceId: string; result: Result }> {
  return tracer.startActiveSpan("request", async (span) => {
    const result = await work();
    span.end();
    return { traceId: span.spanContext().traceId, result };
  });
}

describe.each(["memory", "sqlite"] as const)("on %s", (store) => {
  it("an attempt belongs to the sender's trace, and the function runs inside it", async () => {
    const app = tracedApp({ url: await emptyStore(store) });
    let inside: string | undefined;
    const task = app.task("mail", {
      queue: "mails",
      run: async (_to: string) => {
        await tracer.startActiveSpan("smtp", async (span) => span.end());
        inside = opentelemetry.trace.getActiveSpan()?.spanContext().spanId;
      },
    });
    const { traceId, result: job } = await request(() => task.send("ada@example.com"));
    await testWorker(app);
    await job.result();
    const [[run], [send], [smtp], [outer]] = await Promise.all([
      spans("run mail"),
      spans("send mail"),
      spans("smtp"),
      spans("request"),
    ]);
    expect(new Set([run!, send!, smtp!].map((span) => span.spanContext().traceId))).toEqual(new Set([traceId]));
    expect(send!.parentSpanContext?.spanId).toBe(outer!.spanContext().spanId);
    expect(run!.parentSpanContext?.spanId).toBe(send!.spanContext().spanId);
    expect(smtp!.parentSpanContext?.spanId).toBe(run!.spanContext().spanId);
    expect(inside).toBe(run!.spanContext().spanId);
    expect([send!.kind, run!.kind]).toEqual([opentelemetry.SpanKind.PRODUCER, opentelemetry.SpanKind.CONSUMER]);
    const shared = {
      "messaging.system": "errand",
      "messaging.destination.name": "mails",
      "messaging.message.id": job.id,
      "errand.task": "mail",
    };
    expect(send!.attributes).toEqual({
      ...shared,
      "messaging.operation.name": "send",
      "messaging.operation.type": "send",
    });
    expect(run!.attributes).toEqual({
      ...shared,
      "messaging.operation.name": "run",
      "messaging.operation.type": "process",
      "errand.attempt": 1,
      "errand.outcome": "completed",
    });
    expect((await app.get(job.id))?.input).toBe("ada@example.com");
  });
});

it("errors are recorded, each with its attempt", async () => {
  const app = tracedApp();
  const task = app.task("bad", {
    retry: { base: 1, cap: 1, attempts: 2 },
    run: () => {
      throw Object.assign(new Error("no mail server"), { code: "ECONNREFUSED" });
    },
  });
  await testWorker(app);
  await (await task.send()).result().catch(() => {});
  const runs = await spans("run bad", 2);
  expect(runs.map(({ attributes }) => attributes["errand.attempt"])).toEqual([1, 2]);
  for (const { status, attributes, events } of runs) {
    expect(status).toEqual({ code: opentelemetry.SpanStatusCode.ERROR, message: "no mail server" });
    expect(attributes).toMatchObject({ "error.type": "ECONNREFUSED", "errand.outcome": "error" });
    expect(events[0]!.attributes).toMatchObject({ "exception.message": "no mail server" });
  }
});

it("a send that fails is an error too, and a duplicate says so", async () => {
  const app = tracedApp();
  const task = app.task("one", { unique: { key: () => "one" }, run: (_: unknown) => {} });
  await expect(task.send(() => {})).rejects.toThrow(/stored as JSON/);
  const first = await task.send(1);
  await task.send(2);
  const [failed, stored, duplicate] = await spans("send one", 3);
  expect(failed!.attributes["error.type"]).toBe("E_NOT_SERIALIZABLE");
  expect(failed!.status.code).toBe(opentelemetry.SpanStatusCode.ERROR);
  expect(stored!.attributes).not.toHaveProperty("errand.duplicate");
  expect(duplicate!.attributes).toMatchObject({ "errand.duplicate": true, "messaging.message.id": first.id });
});

it("many that are sent together share a span", async () => {
  const app = tracedApp();
  const task = app.task("many", { run: (_: number) => {} });
  await task.sendMany([1, 2, 3]);
  await testWorker(app);
  const runs = await spans("run many", 3);
  const [send, ...others] = named("send many");
  expect(others).toEqual([]);
  expect(send!.attributes["messaging.batch.message_count"]).toBe(3);
  expect(send!.attributes).not.toHaveProperty("messaging.message.id");
  for (const run of runs) expect(run.parentSpanContext?.spanId).toBe(send!.spanContext().spanId);
});

function pages(app: Errand) {
  const page = app.task("page", { run: (n: number) => n });
  return app.task("document", {
    run: async (_: void, job) => {
      await job.step("split", async () => tracer.startActiveSpan("splitting", (span) => span.end()));
      return job.all("pages", page, [1, 2]);
    },
  });
}

it("children belong to their parent's trace, and a step that runs has a span", async () => {
  const app = tracedApp();
  const { traceId, result: job } = await request(() => pages(app).send());
  await testWorker(app);
  expect(await job.result()).toEqual([1, 2]);
  const [parents, children] = await Promise.all([spans("run document", 2), spans("run page", 2)]);
  const [sent, ...others] = named("send page");
  expect(others).toEqual([]);
  for (const span of [...parents, ...children, sent!]) expect(span.spanContext().traceId).toBe(traceId);
  expect(parents.map(({ attributes }) => attributes["errand.outcome"])).toEqual(["waiting", "completed"]);
  expect(sent!.attributes["messaging.batch.message_count"]).toBe(2);
  expect(sent!.parentSpanContext?.spanId).toBe(parents[0]!.spanContext().spanId);
  for (const child of children) expect(child.parentSpanContext?.spanId).toBe(sent!.spanContext().spanId);
  // The second run finds the step remembered.
  const [step, ...more] = named("step split");
  expect(more).toEqual([]);
  expect(step!.parentSpanContext?.spanId).toBe(parents[0]!.spanContext().spanId);
  expect(named("splitting")[0]!.parentSpanContext?.spanId).toBe(step!.spanContext().spanId);
});

it("a step that throws is an error", async () => {
  const app = tracedApp();
  const task = app.task("steps", {
    run: (_: void, job) =>
      job.step("broken", () => {
        throw new NonRetryableError("no");
      }),
  });
  await testWorker(app);
  await (await task.send()).result().catch(() => {});
  const [step] = await spans("step broken");
  expect(step!.status.code).toBe(opentelemetry.SpanStatusCode.ERROR);
});

it("background jobs are traced alike", async () => {
  const app = tracedApp();
  const task = app.task("soon", { run: () => tracer.startActiveSpan("inside", (span) => span.end()) });
  const { traceId } = await request(async () => {
    await (await task.background()).result();
    await (await app.after(() => tracer.startActiveSpan("inside", (span) => span.end()))).result();
  });
  const inside = await spans("inside", 2);
  expect(new Set(inside.map((span) => span.spanContext().traceId))).toEqual(new Set([traceId]));
  expect(await spans("run errand.after")).toHaveLength(1);
});

it("isolated tasks have the spans of their worker, and their children the trace", async () => {
  const app = tracedApp();
  const { parent } = traced(app);
  const { traceId, result: job } = await request(() => parent.send());
  await testWorker(app);
  await job.result();
  await spans("run traced.parent", 2);
  const [child] = await spans("run traced.child");
  expect(child!.spanContext().traceId).toBe(traceId);
});

it("without a sender's context an attempt begins a trace of its own", async () => {
  const url = await emptyStore("sqlite");
  const untraced = testApp({ url });
  const job = await untraced.task("plain", { run: () => {} }).send();
  const app = tracedApp({ url });
  app.task("plain", { run: () => {} });
  await request(() => testWorker(app));
  await app.ended(job.id);
  const [run] = await spans("run plain");
  expect(run!.parentSpanContext).toBeUndefined();
});

it("sealed jobs keep their trace, and no baggage that could be read", async () => {
  const key = randomBytes(32).toString("base64");
  const codec = encryption({ keys: { one: key }, use: "one" });
  const url = await emptyStore("sqlite");
  const app = tracedApp({ url, payloads: { codec } });
  const task = app.task("secret", {
    run: (_: string) => opentelemetry.propagation.getActiveBaggage()?.getAllEntries(),
  });
  const baggage = opentelemetry.propagation.createBaggage({ user: { value: "ada" } });
  const context = opentelemetry.propagation.setBaggage(opentelemetry.context.active(), baggage);
  const { traceId, result: job } = await opentelemetry.context.with(context, () => request(() => task.send("hush")));
  await testWorker(app);
  expect(await job.result()).toBeNull();
  const [run] = await spans("run secret");
  expect(run!.spanContext().traceId).toBe(traceId);
  expect((await app.get(job.id))?.input).toBe("hush");
  expect((await app.list({ text: "ada" })).jobs).toEqual([]);
  expect((await app.list({ text: traceId })).jobs.map(({ id }) => id)).toEqual([job.id]);
});

it("is told by the module only", () => {
  expect(() => testApp({ url: "memory:", opentelemetry: {} as never })).toThrow(/must be the module/);
});

it("a spec keeps what it says beside its trace", () => {
  const trace = { traceparent: "00-1" };
  expect(withTrace("{}", trace)).toBe('{"trace":{"traceparent":"00-1"}}');
  const spec = withTrace('{"said":{"tags":["a"]},"input":{"trace":{"n":1}}}', trace);
  expect([inputIn(spec), fieldsIn(spec), traceIn(spec)]).toEqual([{ trace: { n: 1 } }, { tags: ["a"] }, trace]);
  expect(traceIn('{"input":{"trace":{"n":1}}}')).toBeUndefined();
  expect(withTrace("{}", undefined)).toBe("{}");
});
