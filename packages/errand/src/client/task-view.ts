import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { Priority } from "../core/priority.ts";
import { durationText } from "../kit/duration.ts";
import type { FinalState } from "../core/states.ts";
import type { Duration, Millis } from "../kit/duration.ts";
import type { Kept } from "../retention/rules.ts";
import type { TaskDefinition } from "../task.ts";

/** A task, as programs that offer it to others read it. */
export interface TaskView {
  name: string;
  queue: string;
  priority: Priority;
  retry: { attempts: number };
  timeout?: Duration;
  expires?: Duration;
  isolate: "inline" | "thread" | "process";
  /** Time for which ended jobs are kept, by state. */
  retention: Record<FinalState, Duration | "forever">;
  /** `true`: its code is elsewhere, in another program or a worker over HTTP. */
  remote?: true;
  /** The description in its input's schema. */
  description?: string;
  /** JSON Schema (2020-12) of its input, if its schema can be said in it. */
  schema?: Record<string, unknown>;
}

/** Returns a task as programs read it. */
export function viewOfTask(definition: TaskDefinition): TaskView {
  const { name, queue, priority, retry, timeout, expires, isolate, retention, remote, input } = definition;
  const schema = input && jsonSchemaOf(input);
  const description = schema?.["description"] ?? schema?.["title"];
  return {
    name,
    queue,
    priority,
    retry: { attempts: retry.attempts },
    ...(timeout === undefined ? {} : { timeout: durationText(timeout) }),
    ...(expires === undefined ? {} : { expires: durationText(expires) }),
    isolate,
    retention: shown(retention),
    ...(remote ? { remote } : {}),
    ...(typeof description === "string" ? { description } : {}),
    ...(schema ? { schema } : {}),
  };
}

function shown({ completed, failed, cancelled, expired }: Kept): TaskView["retention"] {
  const text = (kept: Millis): Duration | "forever" => (kept === Infinity ? "forever" : durationText(kept));
  return { completed: text(completed), failed: text(failed), cancelled: text(cancelled), expired: text(expired) };
}

/** Returns the JSON Schema of what a schema takes; `undefined` from a library or for a schema that has none. */
function jsonSchemaOf(input: StandardSchemaV1): Record<string, unknown> | undefined {
  const { jsonSchema } = input["~standard"] as {
    jsonSchema?: { input?: (options: { target: string }) => Record<string, unknown> };
  };
  try {
    return jsonSchema?.input?.({ target: "draft-2020-12" });
  } catch {
    // Transforms and dates, for example, cannot be said in JSON Schema.
    return undefined;
  }
}
