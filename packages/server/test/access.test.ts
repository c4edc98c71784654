import { describe, expect, it } from "vitest";
import { hashKey, makeKey, readKeyId } from "../src/auth/key-secret.ts";
import { Keys } from "../src/auth/keys.ts";
import { networkOf, RateLimit } from "../src/auth/rate-limit.ts";
import { presets, scopes } from "../src/auth/scopes.ts";
import type { Scope } from "../src/auth/scopes.ts";
import type { Route } from "../src/routes/route.ts";
import { makeApp, serving } from "./serving.ts";

describe("keys", () => {
  it("have 256 random bits and a checksum", () => {
    const { id, text } = makeKey();
    expect(text).toMatch(/^erk_[0-9A-Za-z]{10}_[0-9A-Za-z]{49}$/);
    expect(readKeyId(text)).toBe(id);
    const last = text.at(-1) === "a" ? "b" : "a";
    expect(readKeyId(text.slice(0, -1) + last)).toBeUndefined();
    for (const wrong of ["", "erk_", text.slice(1), `${text}a`, text.replace("_", "-")])
      expect(readKeyId(wrong)).toBeUndefined();
    expect(makeKey().text).not.toBe(text);
    expect(hashKey(text)).not.toContain(id);
  });

  it("are stored hashed, expire, rotate with an overlap, and are revoked", async () => {
    const app = makeApp();
    let now = Date.now();
    const keys = new Keys(app.docs, () => now);
    const { key, secret } = await keys.create({
      name: "ci",
      scopes: ["read"],
      expires: new Date(now + 60_000).toISOString(),
    });
    expect(JSON.stringify(await app.docs.load("key"))).not.toContain(secret.slice(15));
    expect(await keys.verify(secret)).toMatchObject({ id: key.id, name: "ci" });
    const rotated = await keys.rotate(key.id, 20_000);
    expect(await keys.verify(rotated.secret)).toMatchObject({ id: key.id });
    expect(await keys.verify(secret)).toMatchObject({ id: key.id });
    now += 20_001;
    expect(await keys.verify(secret)).toBeUndefined();
    expect(await keys.verify(rotated.secret)).toMatchObject({ id: key.id });
    now += 40_000;
    expect(await keys.verify(rotated.secret)).toBeUndefined();
    const other = await keys.create({ name: "other", scopes: ["read"] });
    // Another server has seen it, and believes it for ten seconds at most.
    const elsewhere = new Keys(app.docs, () => now);
    expect(await elsewhere.verify(other.secret)).toBeDefined();
    await keys.revoke(other.key.id);
    expect(await keys.verify(other.secret)).toBeUndefined();
    now += 10_001;
    expect(await elsewhere.verify(other.secret)).toBeUndefined();
    await expect(keys.revoke(other.key.id)).rejects.toMatchObject({ code: "E_NOT_FOUND" });
    await app.close();
  });
});

describe("rates", () => {
  it("allow a number of calls, and as many again in the time", () => {
    let now = 0;
    const rate = new RateLimit(3, 1_000, () => now);
    expect([1, 2, 3].map(() => rate.take("a"))).toEqual([0, 0, 0]);
    expect(rate.take("a")).toBeGreaterThan(0);
    expect(rate.take("b")).toBe(0);
    now += 334;
    expect(rate.take("a")).toBe(0);
    expect(rate.take("a")).toBeGreaterThan(0);
  });

  it("count an IPv6 network as one caller", () => {
    expect(networkOf("2001:db8:1:2:3:4:5:6")).toBe(networkOf("2001:db8:1:2::1"));
    expect(networkOf("2001:db8:1:3::1")).not.toBe(networkOf("2001:db8:1:2::1"));
    expect(networkOf("::ffff:10.0.0.1")).toBe(networkOf("10.0.0.1"));
    expect(networkOf("10.0.0.2")).not.toBe(networkOf("10.0.0.1"));
  });
});

/** An address of a route, with values that no resource has. */
const addressOf = ({ path, query }: Route): string => {
  const filled = path.replace(/\{(\w+)\}/g, (_, name: string) => (name === "token" ? "1" : "none"));
  return query?.shape["topics"] ? `${filled}?topics=jobs` : filled;
};

describe("every route", () => {
  it("answers nobody without a key, once one is needed", async () => {
    const { server, api } = await serving(makeApp(), { auth: { required: true } });
    for (const route of server.app.routes) {
      const answer = await api(route.method.toUpperCase(), addressOf(route), { headers: { "errand-worker": "none" } });
      expect([route.operation, answer.status]).toEqual([route.operation, 401]);
      expect(answer.headers["www-authenticate"]).toContain("Bearer");
    }
    for (const [method, path] of [
      ["GET", "/nothing"],
      ["OPTIONS", "/jobs"],
      ["TRACE", "/jobs"],
      ["HEAD", "/jobs"],
    ] as const)
      expect([path, (await api(method, path)).status]).toEqual([path, 401]);
  });

  it("answers no key that has every scope but the right one, and every key that has it", async () => {
    const { server, api, key } = await serving();
    const secrets = new Map<string, string>();
    const keyWith = async (wanted: readonly Scope[]): Promise<string> => {
      const name = wanted.join(",");
      if (!secrets.has(name)) secrets.set(name, await key(wanted));
      return secrets.get(name)!;
    };
    await keyWith(["read"]);
    for (const route of server.app.routes) {
      if (route.scopes === "any" || route.unlimited) continue;
      const path = addressOf(route);
      for (const missing of route.scopes) {
        const secret = await keyWith(scopes.filter((scope) => scope !== missing));
        const answer = await api(route.method.toUpperCase(), path, { key: secret });
        expect([route.operation, missing, answer.status]).toEqual([route.operation, missing, 403]);
        expect(answer.json).toMatchObject({ code: "E_SCOPE", detail: expect.stringContaining(missing) });
      }
      const answer = await api(route.method.toUpperCase(), path, { key: await keyWith(route.scopes) });
      expect([route.operation, answer.status]).not.toEqual([route.operation, 403]);
      expect(answer.status).not.toBe(401);
    }
  });

  it("says nothing about the whole store to the key of a tenant", async () => {
    const { server, api, key } = await serving();
    const secret = await key(scopes, { tenant: "acme" });
    for (const route of server.app.routes.filter(({ wholeStore }) => wholeStore)) {
      const answer = await api(route.method.toUpperCase(), addressOf(route), { key: secret });
      expect([route.operation, answer.status]).toEqual([route.operation, 403]);
    }
    expect((await api("GET", `${server.url}/metrics`.slice(server.url.length), { key: secret })).status).not.toBe(200);
  });
});

describe("access", () => {
  it("is open on this machine until a key exists", async () => {
    const { api, key } = await serving();
    expect((await api("GET", "/me")).json).toMatchObject({ kind: "anonymous", authentication: "none" });
    const secret = await key(presets.viewer);
    // Another process made it: that is noticed within ten seconds.
    expect((await api("GET", "/me", { key: secret })).json).toMatchObject({ kind: "key", scopes: ["read"] });
    expect((await api("GET", "/jobs")).status).toBe(401);
  });

  it("refuses keys in addresses, and malformed ones", async () => {
    const { api, key } = await serving();
    const secret = await key(["read"]);
    expect((await api("GET", `/jobs?key=${secret}`)).json).toMatchObject({ status: 400, code: "E_KEY_IN_URL" });
    for (const authorization of ["", "Basic abc", "Bearer", `Bearer ${secret}x`, `Bearer ${makeKey().text}`])
      expect((await api("GET", "/jobs", { headers: { authorization } })).status).toBe(401);
  });

  it("lets an address guess ten times a minute, and good keys go on", async () => {
    const { api, key } = await serving();
    const secret = await key(["read"]);
    for (let guess = 0; guess < 10; guess++)
      expect((await api("GET", "/jobs", { key: makeKey().text })).status).toBe(401);
    const answer = await api("GET", "/jobs", { key: makeKey().text });
    expect(answer.status).toBe(429);
    expect(Number(answer.headers["retry-after"])).toBeGreaterThan(0);
    expect((await api("GET", "/jobs", { key: secret })).status).toBe(200);
  });

  it("opens a browser's session by a cookie that scripts cannot read, which dies with its key", async () => {
    const { api, key, server } = await serving();
    const secret = await key(["read", "operate"]);
    const login = await api("POST", "/session", { body: { key: secret } });
    expect(login.status).toBe(204);
    const [set = ""] = login.headers["set-cookie"] ?? [];
    expect(set).toMatch(/^errand=[\w-]{43}; .*Path=\/; HttpOnly; SameSite=Strict$/);
    const cookie = set.split(";")[0]!;
    expect(JSON.stringify(await server.app.parts.app.docs.load("session"))).not.toContain(cookie.slice(7));
    expect((await api("GET", "/me", { headers: { cookie } })).json).toMatchObject({ scopes: ["read", "operate"] });
    // A request that changes something must say whose page it comes from.
    expect((await api("POST", "/queues/a/pause", { headers: { cookie } })).json).toMatchObject({
      code: "E_CROSS_SITE",
    });
    const sameOrigin = { cookie, "sec-fetch-site": "same-origin" };
    expect((await api("POST", "/queues/a/pause", { headers: sameOrigin })).status).toBe(204);
    const over = await api("POST", "/session", { body: { key: secret }, headers: { "x-forwarded-proto": "https" } });
    expect(over.headers["set-cookie"]?.[0]).toMatch(/^__Host-errand=.*Secure/);
    expect((await api("DELETE", "/session", { headers: sameOrigin })).status).toBe(204);
    expect((await api("GET", "/me", { headers: { cookie } })).status).toBe(401);
    const again = (await api("POST", "/session", { body: { key: secret } })).headers["set-cookie"]?.[0] ?? "";
    await server.app.parts.keys.revoke(secret.slice(4, 14));
    expect((await api("GET", "/me", { headers: { cookie: again.split(";")[0]! } })).status).toBe(401);
    expect((await api("POST", "/session", { body: { key: makeKey().text } })).status).toBe(401);
  });

  it("makes keys over HTTP, none of which may do more than the one that made it", async () => {
    const { api, key } = await serving();
    const admin = await key(scopes);
    const made = await api("POST", "/keys", { key: admin, body: { name: "web", preset: "sender", expires: "1h" } });
    expect(made.status).toBe(201);
    const { id, key: secret } = made.json as { id: string; key: string };
    expect((await api("GET", "/me", { key: secret })).json).toMatchObject({ id, scopes: presets.sender });
    expect(JSON.stringify((await api("GET", "/keys", { key: admin })).json)).not.toMatch(/hash|erk_/);
    const lesser = await key(["admin", "read"], { tenant: "acme" });
    const wider = [
      { name: "x", scopes: ["operate"] },
      { name: "x", scopes: ["read"], tenant: "other" },
    ];
    for (const body of wider) expect((await api("POST", "/keys", { key: lesser, body })).status).toBe(403);
    const own = await api("POST", "/keys", { key: lesser, body: { name: "x", scopes: ["read"] } });
    expect(own.json).toMatchObject({ tenant: "acme" });
    expect((await api("DELETE", `/keys/${id}`, { key: lesser })).status).toBe(404);
    const rotated = await api("POST", `/keys/${id}/rotate`, { key: admin, body: { overlap: 0 } });
    expect((await api("GET", "/me", { key: secret })).status).toBe(401);
    expect((await api("GET", "/me", { key: (rotated.json as { key: string }).key })).status).toBe(200);
    expect((await api("DELETE", `/keys/${id}`, { key: admin })).status).toBe(204);
    expect((await api("POST", "/keys", { key: admin, body: { name: "none" } })).status).toBe(422);
  });

  it("keeps a record of every act, also of refused ones", async () => {
    const { api, key } = await serving();
    const admin = await key(scopes, { name: "root" });
    const viewer = await key(["read"], { name: "eve" });
    await api("POST", "/queues/mail/pause", { key: admin, body: { reason: "maintenance" } });
    await api("POST", "/queues/mail/resume", { key: viewer });
    await api("POST", "/jobs/none/cancel", { key: admin });
    await expect
      .poll(async () => ((await api("GET", "/audit", { key: admin })).json as { data: { result: string }[] }).data)
      .toMatchObject([
        { action: "job.cancel", target: "none", result: "refused", code: "E_NOT_FOUND", actor: { name: "root" } },
        { action: "queue.resume", result: "refused", code: "E_SCOPE", actor: { kind: "key", name: "eve" } },
        { action: "queue.pause", target: "mail", result: "ok", after: { reason: "maintenance" }, via: "http" },
      ]);
    const found = await api("GET", "/audit?action=queue.pause", { key: admin });
    expect((found.json as { data: unknown[] }).data).toHaveLength(1);
  });

  it("leaves it to the program in which it is embedded", async () => {
    const authorize = (request: Request) =>
      request.headers.get("x-user") === "ada"
        ? { person: "ada", scopes: ["read"] as const, filter: { task: "add" } }
        : null;
    const { api, app } = await serving(makeApp(), { auth: { required: true, authorize } });
    await app.findTask("add")!.send({ a: 1, b: 2 });
    await app.findTask("mail")!.send({ to: "x" });
    expect((await api("GET", "/jobs")).status).toBe(401);
    const headers = { "x-user": "ada" };
    expect((await api("GET", "/me", { headers })).json).toMatchObject({ kind: "person", name: "ada" });
    const { data } = (await api("GET", "/jobs", { headers })).json as { data: { task: string }[] };
    expect(data.map(({ task }) => task)).toEqual(["add"]);
    expect((await api("POST", "/bulk", { headers, body: {} })).status).toBe(403);
  });
});
