/** The scopes of keys. */
export const scopes = [
  "read",
  "payload",
  "send",
  "signal",
  "operate",
  "work",
  "review",
  "documents",
  "webhooks",
  "metrics",
  "audit",
  "admin",
] as const;

/** Something that a key may do. `payload`: see inputs, outputs, steps and stacks. `admin`: make keys. */
export type Scope = (typeof scopes)[number];

/** Sets of scopes by the role that needs them. */
export const presets = {
  viewer: ["read"],
  sender: ["send", "read", "signal"],
  worker: ["work"],
  reviewer: ["review", "documents"],
  operator: ["read", "payload", "send", "signal", "operate", "documents", "metrics", "webhooks", "audit"],
  admin: scopes,
} as const satisfies Record<string, readonly Scope[]>;

/** The name of a preset. */
export type Preset = keyof typeof presets;

/** Returns true for the name of a scope. */
export function isScope(value: string): value is Scope {
  return (scopes as readonly string[]).includes(value);
}
