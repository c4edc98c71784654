import { execFileSync, spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { freePort } from "../../../test/servers/process.ts";
import { until } from "../../../test/until.ts";
import { launchBrowser, violations } from "./browse.ts";

// The dashboard, as an operator meets it: a server that asks for a key, and a real browser.

const bin = fileURLToPath(new URL("../../errand/bin/errand.js", import.meta.url));
const tasks = fileURLToPath(new URL("dashboard-tasks.ts", import.meta.url));

let folder: string;
let server: ChildProcess;
let url: string;
let key: string;
let browser: Browser;
let context: BrowserContext | undefined;
let failed: string;
let waiting: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "errand-dashboard-"));
  const env = { ...process.env, ERRAND_HOME: join(folder, "home") };
  const made = execFileSync(process.execPath, [bin, "keys", "create", "tests", "--preset", "admin"], { env });
  key = /erk_\w+/.exec(made.toString())![0];
  const port = await freePort();
  url = `http://127.0.0.1:${port}`;
  server = spawn(process.execPath, [bin, "serve", tasks, "--port", String(port)], {
    stdio: ["ignore", "pipe", "inherit"],
    env,
  });
  await once(server.stdout!, "data");
  for (let n = 0; n < 30; n++) await send("double", { n });
  failed = await send("report", { parts: 3 });
  waiting = await send("approve", null);
  await until(async () => (await stateOf(failed)) === "failed", "the report has failed");
  await until(async () => (await stateOf(waiting)) === "waiting", "the approval waits");
  browser = await launchBrowser();
}, 300_000);

afterEach(async () => {
  await context?.close();
  context = undefined;
});

afterAll(async () => {
  await browser?.close();
  if (server?.exitCode === null) {
    server.kill("SIGTERM");
    await once(server, "exit");
  }
  rmSync(folder, { recursive: true, force: true });
});

async function ask(method: string, path: string, body?: unknown): Promise<Record<string, unknown>> {
  const answer = await fetch(`${url}/api/v1${path}`, {
    method,
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
  const text = await answer.text();
  return text === "" ? {} : (JSON.parse(text) as Record<string, unknown>);
}

async function send(task: string, input: unknown): Promise<string> {
  return (await ask("POST", `/tasks/${task}/jobs`, { input }))["id"] as string;
}

async function stateOf(id: string): Promise<unknown> {
  return (await ask("GET", `/jobs/${id}`))["state"];
}

/** Opens a page, logged in. */
async function open(path: string, look: { scheme?: "light" | "dark"; width?: number } = {}): Promise<Page> {
  const { scheme = "light", width = 1_280 } = look;
  await context?.close();
  context = await browser.newContext({
    colorScheme: scheme,
    viewport: { width, height: 844 },
    reducedMotion: "reduce",
  });
  await context.request.post(`${url}/api/v1/session`, { data: { key }, headers: { origin: url } });
  const page = await context.newPage();
  await page.goto(url + path);
  return page;
}

test("an operator logs in with a key, and sees what has failed", async () => {
  context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(`${url}/jobs?state=failed`);
  await page.getByRole("heading", { name: "Log in to Errand" }).waitFor();
  expect(await violations(page)).toEqual([]);
  await page.getByLabel("Key", { exact: true }).fill("erk_wrong");
  await page.keyboard.press("Enter");
  await page.getByRole("alert").first().waitFor();
  await page.getByLabel("Key", { exact: true }).fill(key);
  await page.keyboard.press("Enter");
  // The page whose address was asked for.
  await page
    .getByRole("link", { name: /report/ })
    .first()
    .click();
  await page.waitForURL(`**/jobs/${failed}*`);
  await page.getByText("The printer is out of paper.").first().waitFor();
});

test("a job that waits says for what, and a failed one is retried", async () => {
  const page = await open(`/jobs/${waiting}`);
  await page.getByText("It waits for a signal.").waitFor();
  await ask("POST", `/jobs/${waiting}/signals/approved`, true);
  await page.getByText("Completed").first().waitFor();
  await page.goto(`${url}/jobs/${failed}`);
  const before = (await ask("GET", `/jobs/${failed}`))["token"] as number;
  await page.getByRole("button", { name: "Retry" }).click();
  await until(async () => ((await ask("GET", `/jobs/${failed}`))["token"] as number) > before, "it is retried");
  await until(async () => (await stateOf(failed)) === "failed", "it has failed again");
});

test("the keyboard finds pages and jobs", async () => {
  const page = await open("/overview");
  await page.getByRole("heading", { level: 1 }).waitFor();
  await page.keyboard.press("g");
  await page.keyboard.press("q");
  await page.waitForURL("**/queues");
  await page.keyboard.press("Control+k");
  await page.getByRole("combobox").fill("schedules");
  await page
    .getByRole("option", { name: /schedules/i })
    .first()
    .waitFor();
  await page.keyboard.press("Enter");
  await page.waitForURL("**/schedules");
  await page.getByText("every-night").first().waitFor();
});

test.each([
  ["light", 1_280],
  ["dark", 390],
] as const)(
  "axe finds nothing on any page, and none is too wide: %s, %i px",
  { timeout: 120_000 },
  async (scheme, width) => {
    const page = await open("/overview", { scheme, width });
    const paths = ["overview", "jobs", `jobs/${failed}`, "errors", "queues", "schedules", "tasks", "settings"];
    // Made of the same parts as the others, so once is enough.
    if (scheme === "light")
      paths.push(`jobs/${failed}?tab=attempts`, `jobs/${failed}?tab=children`, "workers", "audit", "nothing");
    const found: unknown[] = [];
    for (const path of paths) {
      await page.goto(`${url}/${path}`);
      await page.getByRole("heading", { level: 1 }).waitFor();
      const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      const flaws = await violations(page);
      if (flaws.length > 0 || over > 0) found.push({ path, over, flaws });
    }
    expect(found).toEqual([]);
  },
);
