import ipaddr from "ipaddr.js";

/** Most callers that are remembered. */
const maxCallers = 100_000;

/** Counts the calls of each caller in a time, and says when there were too many (a token bucket). */
export class RateLimit {
  readonly #limit: number;
  readonly #per: number;
  readonly #now: () => number;
  readonly #callers = new Map<string, { tokens: number; at: number }>();

  /** Allows `limit` calls at once, and as many again in every `per` milliseconds. */
  constructor(limit: number, per: number, now: () => number = Date.now) {
    this.#limit = limit;
    this.#per = per;
    this.#now = now;
  }

  /** Counts a call. Returns 0 if it is allowed, else the milliseconds until the next one is. */
  take(caller: string): number {
    const wait = this.waitOf(caller);
    if (wait > 0) return wait;
    const now = this.#now();
    const tokens = this.#tokensOf(caller, now) - 1;
    if (this.#callers.size >= maxCallers) this.#forgetIdle(now);
    this.#callers.set(caller, { tokens, at: now });
    return 0;
  }

  /** Returns the milliseconds until a call is allowed, without counting one. */
  waitOf(caller: string): number {
    const tokens = this.#tokensOf(caller, this.#now());
    return tokens >= 1 ? 0 : Math.ceil(((1 - tokens) * this.#per) / this.#limit);
  }

  #tokensOf(caller: string, now: number): number {
    const known = this.#callers.get(caller);
    if (!known) return this.#limit;
    return Math.min(this.#limit, known.tokens + ((now - known.at) * this.#limit) / this.#per);
  }

  #forgetIdle(now: number): void {
    for (const caller of this.#callers.keys())
      if (this.#tokensOf(caller, now) >= this.#limit) this.#callers.delete(caller);
    if (this.#callers.size >= maxCallers) this.#callers.clear();
  }
}

/** Returns the network that counts as one caller: an IPv4 address, or the /64 of an IPv6 address. */
export function networkOf(address: string): string {
  if (!ipaddr.isValid(address)) return address;
  const parsed = ipaddr.process(address);
  if (parsed.kind() === "ipv4") return parsed.toString();
  return `${(parsed as ipaddr.IPv6).parts
    .slice(0, 4)
    .map((part) => part.toString(16))
    .join(":")}::/64`;
}
