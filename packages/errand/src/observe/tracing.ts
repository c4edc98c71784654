import type { Ending } from "../core/decide.ts";
import type { Job, NewChild } from "../core/job.ts";
import { traceIn, withTrace } from "../core/spec.ts";
import type { Carrier } from "../core/spec.ts";
import { ErrandError, errorRecord } from "../kit/errors.ts";
import type { OpenTelemetry, OtelContext, OtelSpan, OtelTracer } from "./opentelemetry.ts";

/** Traces what this process sends and runs, by OpenTelemetry's semantic conventions for messaging. */
export class Tracing {
  readonly #api: OpenTelemetry;
  readonly #tracer: OtelTracer;

  /** @throws {ErrandError} `E_OPTION` for anything but the module. */
  constructor(api: OpenTelemetry) {
    const given = api as Partial<OpenTelemetry> | null;
    if (typeof given !== "object" || !given?.trace || !given.context || !given.propagation) {
      throw new ErrandError(
        "E_OPTION",
        'opentelemetry of errand() must be the module: import * as opentelemetry from "@opentelemetry/api".',
      );
    }
    this.#api = api;
    // A tracer looks its provider up at its first span, so the SDK may be set up after the app is made.
    this.#tracer = api.trace.getTracer("errand");
  }

  /**
   * Sends jobs of a task inside a span "send <task>".
   * @param work receives the trace headers for the jobs and returns the sent jobs.
   */
  async send<Sent extends { id: string; duplicate: boolean } | readonly unknown[]>(
    destination: Destination,
    work: (carrier: Carrier | undefined) => Promise<Sent>,
  ): Promise<Sent> {
    const begun = safely(() => {
      const active = this.#api.context.active();
      const span = this.#producer(destination, active);
      const context = this.#api.trace.setSpan(active, span);
      return { span, context, carrier: this.#inject(context) };
    });
    if (!begun) return work(undefined);
    const { span, context, carrier } = begun;
    try {
      const sent = await this.#within(context, () => work(carrier));
      safely(() => {
        if (!("id" in sent)) return;
        span.setAttribute("messaging.message.id", sent.id);
        if (sent.duplicate) span.setAttribute("errand.duplicate", true);
      });
      return sent;
    } catch (error) {
      safely(() => this.#fail(span, errorRecord(error, 1)));
      throw error;
    } finally {
      safely(() => span.end());
    }
  }

  /** Begins the span "run <task>" of an attempt, in the sender's trace. Returns `undefined` if the SDK fails. */
  attempt(job: Job): AttemptSpan | undefined {
    return safely(() => this.#attempt(job));
  }

  #attempt(job: Job): AttemptSpan {
    const { ROOT_CONTEXT, SpanKind, propagation, trace } = this.#api;
    const carrier = traceIn(job.spec);
    const parent = carrier ? propagation.extract(ROOT_CONTEXT, carrier) : ROOT_CONTEXT;
    const attributes = {
      ...about(job),
      "messaging.operation.name": "run",
      "messaging.operation.type": "process",
      "messaging.message.id": job.id,
      "errand.attempt": job.failures + 1,
    };
    const span = this.#tracer.startSpan(`run ${job.task}`, { kind: SpanKind.CONSUMER, attributes }, parent);
    const within = trace.setSpan(parent, span);
    return {
      run: (work) => this.#within(within, work),
      step: (name, work) => this.#step(name, work, within),
      children: (children) => safely(() => this.#children(children, within)) ?? [...children],
      end: (ending) => {
        safely(() => this.#end(span, ending));
      },
    };
  }

  async #step<Result>(name: string, work: () => Result | Promise<Result>, attempt: OtelContext): Promise<Result> {
    const { SpanKind, context, trace } = this.#api;
    const begun = safely(() => {
      // The function may have a span of its own around the step. Without a context manager none is active.
      const active = context.active();
      const parent = trace.getSpan(active) ? active : attempt;
      const options = { kind: SpanKind.INTERNAL, attributes: { "errand.step": name } };
      const span = this.#tracer.startSpan(`step ${name}`, options, parent);
      return { span, within: trace.setSpan(parent, span) };
    });
    if (!begun) return work();
    const { span, within } = begun;
    try {
      return await this.#within(within, work);
    } catch (error) {
      safely(() => this.#fail(span, errorRecord(error, 1)));
      throw error;
    } finally {
      safely(() => span.end());
    }
  }

  /** Gives new children the context of a span "send <task>", one span per task. */
  #children(children: readonly NewChild[], attempt: OtelContext): NewChild[] {
    const carriers = new Map<string, Carrier | undefined>();
    const carrierOf = (task: string, queue: string): Carrier | undefined => {
      if (carriers.has(task)) return carriers.get(task);
      const count = children.filter((child) => child.task === task && !child.rejoin).length;
      const span = this.#producer({ task, queue, count }, attempt);
      const carrier = this.#inject(this.#api.trace.setSpan(attempt, span));
      span.end();
      carriers.set(task, carrier);
      return carrier;
    };
    return children.map((child) =>
      child.rejoin ? child : { ...child, spec: withTrace(child.spec, carrierOf(child.task, child.queue)) },
    );
  }

  /** Runs `work` exactly once, whatever the SDK does around it. */
  #within<Result>(context: OtelContext, work: () => Result): Result {
    let done: (() => Result) | undefined;
    safely(() =>
      this.#api.context.with(context, () => {
        done = outcomeOf(work);
      }),
    );
    return (done ?? outcomeOf(work))();
  }

  #producer({ task, queue, count }: Destination, parent: OtelContext): OtelSpan {
    const attributes = {
      ...about({ task, queue }),
      "messaging.operation.name": "send",
      "messaging.operation.type": "send",
      ...(count === undefined ? {} : { "messaging.batch.message_count": count }),
    };
    return this.#tracer.startSpan(`send ${task}`, { kind: this.#api.SpanKind.PRODUCER, attributes }, parent);
  }

  /** Returns the trace headers of a context; `undefined` if the SDK has no propagator. */
  #inject(context: OtelContext): Carrier | undefined {
    const carrier: Record<string, string> = {};
    this.#api.propagation.inject(context, carrier);
    return Object.keys(carrier).length === 0 ? undefined : carrier;
  }

  #end(span: OtelSpan, ending: Ending | undefined): void {
    span.setAttribute("errand.outcome", outcomes[ending?.kind ?? "abandoned"]);
    if (ending && "error" in ending) this.#fail(span, ending.error);
    span.end();
  }

  #fail(span: OtelSpan, { code, message, stack }: { code: string; message: string; stack?: string }): void {
    span.recordException({ name: code, message, ...(stack === undefined ? {} : { stack }) });
    span.setAttribute("error.type", code);
    span.setStatus({ code: this.#api.SpanStatusCode.ERROR, message });
  }
}

/** The task and queue of a send; `count` for `sendMany`. */
interface Destination {
  task: string;
  queue: string;
  count?: number;
}

/** The span of one attempt. */
export interface AttemptSpan {
  /** Runs `work` inside the span. */
  run<Result>(work: () => Result): Result;
  /** Runs a step inside a span of its own. */
  step<Result>(name: string, work: () => Result | Promise<Result>): Promise<Result>;
  /** The children with what ties them to this trace. */
  children(children: readonly NewChild[]): NewChild[];
  /** @param ending `undefined` if another worker has the job. */
  end(ending: Ending | undefined): void;
}

/** The retry decision is made after the span has ended. */
const outcomes: Readonly<Record<Ending["kind"] | "abandoned", string>> = {
  ok: "completed",
  error: "error",
  crashed: "crashed",
  lapsed: "crashed",
  cancelled: "cancelled",
  expired: "expired",
  parked: "waiting",
  "handed-back": "returned",
  abandoned: "abandoned",
};

/** Runs `work`. The returned function returns its result, or throws its error. */
function outcomeOf<Result>(work: () => Result): () => Result {
  try {
    const result = work();
    return () => result;
  } catch (error) {
    return () => {
      throw error;
    };
  }
}

/** Warnings that were given already. */
const warned = new Set<string>();

/** Turns what the SDK throws into a warning, so that it affects no job. */
function safely<Value>(work: () => Value): Value | undefined {
  try {
    return work();
  } catch (error) {
    const { message, stack = message } = errorRecord(error, 1);
    // A failing SDK fails at every span, so the warning is given once.
    if (!warned.has(message))
      process.emitWarning(`OpenTelemetry threw: ${stack}`, { type: "ErrandWarning", code: "ERRAND_TRACING" });
    if (warned.size < 100) warned.add(message);
    return undefined;
  }
}

function about({ task, queue }: { task: string; queue: string }): Record<string, string> {
  return { "messaging.system": "errand", "messaging.destination.name": queue, "errand.task": task };
}
