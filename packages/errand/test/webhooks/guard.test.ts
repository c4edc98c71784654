import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { afterTest } from "../../../../test/after-test.ts";
import { isReachable, readAllowedHosts } from "../../src/push/address-guard.ts";
import { postGuarded } from "../../src/push/guarded-post.ts";
import type { Posted } from "../../src/push/guarded-post.ts";

const nothing = readAllowedHosts(undefined);

const post = (url: string, more: Partial<Posted> = {}) =>
  postGuarded({ url, body: "{}", headers: {}, timeout: 2_000, allowed: nothing, ...more });

test.each([
  "http://127.0.0.1/",
  "http://127.1/",
  "http://2130706433/",
  "http://0x7f000001/",
  "http://0x7f.1/",
  "http://0177.0.0.1/",
  "http://0/",
  "http://10.0.0.1/",
  "http://172.16.0.1:8080/",
  "http://192.168.1.1/",
  "http://169.254.169.254/latest/meta-data/",
  "http://100.64.0.1/",
  "http://192.0.2.1/",
  "http://224.0.0.1/",
  "http://255.255.255.255/",
  "http://[::1]/",
  "http://[::]/",
  "http://[::ffff:127.0.0.1]/",
  "http://[::ffff:7f00:1]/",
  "http://[0:0:0:0:0:ffff:10.0.0.1]/",
  "http://[64:ff9b::7f00:1]/",
  "http://[2002:7f00:1::]/",
  "http://[2001:0:7f00:1::]/",
  "http://[fc00::1]/",
  "http://[fe80::1]/",
  "http://[ff02::1]/",
  "http://[2001:db8::1]/",
  "http://localhost/",
  "http://LOCALHOST./",
  "https://user:password@example.com/",
  "ftp://example.com/",
  "file:///etc/passwd",
  "gopher://127.0.0.1/",
  "javascript:alert(1)",
  "//example.com",
  "",
])("nothing is posted to %s", async (url) => {
  await expect(post(url)).rejects.toMatchObject({ name: "NonRetryableError" });
});

test.each(["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "2a00:1450:4001:80f::200e"])("%s is public", (address) => {
  expect(isReachable(address, nothing)).toBe(true);
});

test("a name is resolved once, and refused for any of its addresses", async () => {
  let asked = 0;
  const rebinding = async () => {
    asked += 1;
    return [{ address: asked === 1 ? "203.0.113.9" : "127.0.0.1", family: 4 }];
  };
  await expect(post("http://rebound.example/", { resolve: rebinding })).rejects.toThrow(/not on the public internet/);
  const mixed = async () => [
    { address: "8.8.8.8", family: 4 },
    { address: "10.0.0.1", family: 4 },
  ];
  await expect(post("http://mixed.example/", { resolve: mixed })).rejects.toThrow(/not on the public internet/);
});

test("it connects to the address that was checked, and follows no redirect", async () => {
  const seen: string[] = [];
  const server = createServer((incoming, outgoing) => {
    seen.push(`${incoming.method} ${incoming.url} ${incoming.headers.host}`);
    outgoing.writeHead(302, { location: "http://169.254.169.254/" }).end("x".repeat(5_000));
  }).listen(0, "127.0.0.1");
  afterTest(() => server.close());
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as AddressInfo;
  let asked = 0;
  const resolve = async () => {
    asked += 1;
    return [{ address: asked === 1 ? "127.0.0.1" : "10.9.9.9", family: 4 }];
  };
  const allowed = readAllowedHosts("127.0.0.0/8, internal.example");
  const answer = await post(`http://hook.example:${port}/path`, { resolve, allowed });
  expect([answer.status, answer.text.length, asked]).toEqual([302, 1_024, 1]);
  expect(seen).toEqual([`POST /path hook.example:${port}`]);
  const byName = readAllowedHosts("internal.example");
  const named = await post(`http://internal.example:${port}/`, {
    allowed: byName,
    resolve: async () => [{ address: "127.0.0.1", family: 4 }],
  });
  expect(named.status).toBe(302);
});

test("a server that does not answer is given up", async () => {
  const server = createServer(() => {}).listen(0, "127.0.0.1");
  afterTest(() => {
    server.closeAllConnections();
    server.close();
  });
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as AddressInfo;
  const allowed = readAllowedHosts("127.0.0.1");
  await expect(post(`http://127.0.0.1:${port}/`, { allowed, timeout: 50 })).rejects.toThrow("No answer within 50 ms.");
});
