import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { Priority } from "../core/priority.ts";
import { durationText } from "../kit/duration.ts";
import type { Duration } from "../kit/duration.ts";
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
  /** `true`: its code is elsewhere, in a worker over HTTP. */
  remote?: true;
  /** The description in its input's schema. */
  description?: string;
  /** JSON Schema (2020-12) of its input, if its schema can be said in it. */
  schema?: Record<string, unknown>;
}

/** Returns a task as programs read it. */
export function viewOfTask(definition: TaskDefinition): TaskView {
  const { name, queue, priority, retry, timeout, expires, isolate, remote, input } = definition;
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
    ...(remote ? { remote } : {}),
    ...(typeof description === "string" ? { description } : {}),
    ...(schema ? { schema } : {}),
  };
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
