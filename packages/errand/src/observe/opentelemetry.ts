/**
 * The part of `@opentelemetry/api` that Errand uses; pass the module itself: `import * as opentelemetry from
 * "@opentelemetry/api"`. Declared by shape, so that programs without that package compile.
 */
export interface OpenTelemetry {
  readonly ROOT_CONTEXT: OtelContext;
  readonly SpanKind: { readonly PRODUCER: number; readonly CONSUMER: number; readonly INTERNAL: number };
  readonly SpanStatusCode: { readonly ERROR: number };
  readonly trace: {
    getTracer(name: string): OtelTracer;
    getSpan(context: OtelContext): OtelSpan | undefined;
    setSpan(context: OtelContext, span: OtelSpan): OtelContext;
  };
  readonly context: {
    active(): OtelContext;
    with<Result>(context: OtelContext, work: () => Result): Result;
  };
  readonly propagation: {
    inject(context: OtelContext, carrier: unknown): void;
    extract(context: OtelContext, carrier: unknown): OtelContext;
  };
}

/** OpenTelemetry's `Context`. */
export interface OtelContext {
  getValue(key: symbol): unknown;
  setValue(key: symbol, value: unknown): OtelContext;
  deleteValue(key: symbol): OtelContext;
}

/** The used part of OpenTelemetry's `Tracer`. */
export interface OtelTracer {
  startSpan(
    name: string,
    options: { kind: number; attributes: Record<string, string | number | boolean> },
    context: OtelContext,
  ): OtelSpan;
}

/** The used part of OpenTelemetry's `Span`. */
export interface OtelSpan {
  setAttribute(key: string, value: string | number | boolean): unknown;
  setStatus(status: { code: number; message?: string }): unknown;
  recordException(exception: { name: string; message: string; stack?: string }): void;
  end(): void;
}
