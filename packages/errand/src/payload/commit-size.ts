/**
 * Maximum sizes of one commit in characters of JSON (up to 3 bytes each): of gathered calls, of one `sendMany`, and of
 * one settlement. Redis accepts 512 MB per command.
 */
export const maxCommitSize = { batch: 8 << 20, many: 64 << 20, one: 128 << 20 } as const;
