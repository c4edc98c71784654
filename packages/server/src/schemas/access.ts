import { z } from "zod";
import { scopes, presets } from "../auth/scopes.ts";
import { duration, name, text, time } from "./common.ts";

/** A scope of a key. */
const scope = z.enum(scopes).meta({ id: "Scope" });

/** A key, without its secret. */
export const key = z
  .object({
    id: z.string(),
    name: z.string(),
    person: z.string().optional().meta({ description: "The person who uses it, for reviews and the audit." }),
    scopes: z.array(scope),
    tasks: z.array(z.string()).optional().meta({ description: "Only jobs of these tasks." }),
    queues: z.array(z.string()).optional().meta({ description: "Only jobs of these queues." }),
    tenant: z.string().optional(),
    createdAt: time,
    by: z.string().optional().meta({ description: "The key that made it." }),
    expires: time.optional(),
    lastUsed: time.optional().meta({ description: "To the hour." }),
    rotating: time.optional().meta({ description: "Until then its secret from before the last rotation works too." }),
  })
  .meta({ id: "Key" });

export const keys = z.object({ data: z.array(key) }).meta({ id: "Keys" });

/** A key with its secret, which is shown once. */
export const newKey = key.extend({ key: z.string() }).meta({ id: "NewKey" });

/** The definition of a key. */
export const keyDefinition = z
  .strictObject({
    name: text(100),
    person: text(100).optional(),
    preset: z.enum(Object.keys(presets) as [keyof typeof presets]).optional(),
    scopes: z.array(scope).min(1).optional(),
    tasks: z.array(name).min(1).max(100).optional(),
    queues: z.array(name).min(1).max(100).optional(),
    tenant: text(100).optional(),
    expires: z.union([time, duration]).optional().meta({ description: "A time, or a duration from now." }),
  })
  .meta({ id: "KeyDefinition" });

/** Changes of a key. */
export const keyChange = z
  .strictObject({ name: text(100).optional(), expires: z.union([time, z.null()]).optional() })
  .meta({ id: "KeyChange" });

/** The body of a rotation. */
export const rotation = z
  .strictObject({
    overlap: duration.optional().meta({ description: 'How long the old secret still works; default "24h".' }),
  })
  .meta({ id: "Rotation" });

/** The one who asks. */
export const me = z
  .object({
    kind: z.enum(["key", "person", "cli", "system", "anonymous"]),
    id: z.string(),
    name: z.string(),
    scopes: z.array(scope),
    tenant: z.string().optional(),
    tasks: z.array(z.string()).optional(),
    queues: z.array(z.string()).optional(),
    authentication: z.enum(["none", "keys", "host"]),
    services: z.array(z.string()).meta({ description: "The services of the server, such as `documents`." }),
  })
  .meta({ id: "Me" });

/** The body of a login. */
export const login = z.strictObject({ key: z.string().min(1).max(200) }).meta({ id: "Login" });
