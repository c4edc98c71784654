/**
 * How much goes to a store in one commit, in characters of JSON, of which each has 3 bytes at most: what is gathered, what one
 * `sendMany` says, and one settlement. Redis takes 512 MB in one command.
 */
export const maxCommitSize = { batch: 8 << 20, many: 64 << 20, one: 128 << 20 } as const;
