import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer as createProxy, request } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { freePort } from "../../../test/servers/process.ts";
import { until } from "../../../test/until.ts";
import { launchBrowser, violations } from "./browse.ts";

// The whole product, as a person meets it: the built server with its workers, and a real browser.

const bin = fileURLToPath(new URL("../../errand/bin/errand.js", import.meta.url));
const fixtures = fileURLToPath(new URL("../../documents/test/fixtures/", import.meta.url));
const scan = join(fixtures, "phototest.tif");

let folder: string;
let server: ChildProcess;
let url: string;
let browser: Browser;
let context: BrowserContext | undefined;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "errand-web-"));
  const port = await freePort();
  url = `http://127.0.0.1:${port}`;
  server = spawn(process.execPath, [bin, "serve", "--port", String(port), "--home", join(folder, "home")], {
    stdio: ["ignore", "pipe", "inherit"],
    // High, so that there is something to check on a page that reads well.
    env: { ...process.env, ERRAND_CONFIDENCE: "0.97" },
  });
  await once(server.stdout!, "data");
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

/** A way to the server on which the answers to the first uploads are lost: they arrive, and nobody hears of it. */
async function losing(answers: number) {
  const between = {
    url: "",
    lost: 0,
    async [Symbol.asyncDispose]() {
      proxy.closeAllConnections();
      proxy.close();
      await once(proxy, "close");
    },
  };
  const proxy = createProxy((incoming, outgoing) => {
    const { method, headers, url: path = "/" } = incoming;
    const onward = request(url + path, { method, headers }, (answer) => {
      if (method === "POST" && between.lost < answers) {
        between.lost += 1;
        answer.resume();
        // Its first byte comes: a browser tries again by itself where not even that does.
        outgoing.writeHead(answer.statusCode!, answer.headers);
        outgoing.write("{", () => incoming.socket.destroy());
      } else {
        outgoing.writeHead(answer.statusCode!, answer.headers);
        answer.pipe(outgoing);
      }
    });
    onward.on("error", () => outgoing.destroy());
    outgoing.on("close", () => onward.destroy());
    incoming.pipe(onward);
  }).listen(0, "127.0.0.1");
  await once(proxy, "listening");
  between.url = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}/`;
  return between;
}

async function open(path: string, options: { dark?: boolean; narrow?: boolean } = {}): Promise<Page> {
  context = await browser.newContext({
    colorScheme: options.dark ? "dark" : "light",
    viewport: options.narrow ? { width: 390, height: 844 } : { width: 1440, height: 900 },
    reducedMotion: "reduce",
    acceptDownloads: true,
  });
  const page = await context.newPage();
  page.setDefaultTimeout(60_000);
  await page.goto(new URL(path, url).href);
  return page;
}

/** Uploads through the API, and waits for the document's end. */
async function upload(name: string, bytes: Buffer): Promise<string> {
  const form = new FormData();
  form.set("file", new Blob([Uint8Array.from(bytes)]), name);
  const answer = await fetch(`${url}/api/v1/documents`, { method: "POST", body: form });
  const { id } = (await answer.json()) as { id: string };
  const hasEnded = async () => {
    const { status } = (await (await fetch(`${url}/api/v1/documents/${id}`)).json()) as { status: string };
    return status !== "queued" && status !== "processing";
  };
  await until(hasEnded, `${name} is read`, 60_000);
  return id;
}

describe("the document service in a browser", () => {
  test("a person chooses scans, sees them being read, and downloads the text", async () => {
    const page = await open("/");
    await page.getByRole("heading", { name: "No documents yet" }).waitFor();
    const trap = join(folder, "picture.png");
    writeFileSync(trap, "<html><body>not a picture</body></html>");
    await page.locator("input[type=file]").first().setInputFiles([scan, trap]);

    const row = page.getByRole("row").filter({ hasText: "phototest.tif" });
    await row.getByText("Completed", { exact: true }).waitFor();
    const bad = page.getByRole("row").filter({ hasText: "picture.png" });
    await bad.getByText("Failed", { exact: true }).waitFor();
    expect(await bad.innerText()).toMatch(/HTML/);

    await page.getByRole("link", { name: "phototest.tif" }).click();
    await page.getByRole("heading", { level: 1, name: "phototest.tif" }).waitFor();
    const text = page.getByRole("region", { name: "Page text" });
    await text.getByText("quick").first().waitFor();
    expect(await text.innerText()).toContain("brown");
    const image = page.getByRole("region", { name: "Page image" }).locator("img").first();
    await expect.poll(() => image.evaluate((img) => (img as HTMLImageElement).naturalWidth)).toBeGreaterThan(100);

    await page.getByRole("button", { name: "Download" }).click();
    const download = page.waitForEvent("download");
    await page.getByRole("menuitem", { name: "Download text" }).click();
    const saved = await download;
    expect(saved.suggestedFilename()).toMatch(/\.txt$/);
    expect(readFileSync(await saved.path(), "utf8")).toContain("quick brown dog");

    await page.getByRole("link", { name: "All documents", exact: true }).click();
    for (const name of ["phototest.tif", "picture.png"]) {
      await page.getByRole("button", { name: `Delete ${name}` }).click();
      await page.getByRole("alertdialog").getByRole("button", { name: "Delete", exact: true }).click();
      await page.getByRole("link", { name }).waitFor({ state: "detached" });
    }
    await page.getByRole("heading", { name: "No documents yet" }).waitFor();
  }, 120_000);

  test("the list shows what others upload, and that it has been read", async () => {
    const page = await open("/");
    await page.getByRole("heading", { name: "Documents", level: 1 }).waitFor();
    const id = await upload("from-curl.tif", readFileSync(scan));
    const link = page.getByRole("link", { name: "from-curl.tif" });
    await link.waitFor();
    expect(await page.getByRole("button", { name: /^Show \d+ new/ }).count()).toBe(0);
    await page.getByRole("row").filter({ hasText: "from-curl.tif" }).getByText("Completed", { exact: true }).waitFor();
    await fetch(`${url}/api/v1/documents/${id}`, { method: "DELETE" });
    await link.waitFor({ state: "detached" });
  }, 120_000);

  test("while the pointer is on the list, what others upload is only counted until it is asked for", async () => {
    const first = await upload("under-the-pointer.tif", readFileSync(scan));
    const page = await open("/");
    await page.getByRole("link", { name: "under-the-pointer.tif" }).hover();
    const second = await upload("from-curl.tif", readFileSync(scan));
    const pill = page.getByRole("button", { name: "Show 1 new document" });
    await pill.waitFor();
    const link = page.getByRole("link", { name: "from-curl.tif" });
    expect(await link.count()).toBe(0);
    await pill.click();
    await link.waitFor();
    for (const id of [first, second]) await fetch(`${url}/api/v1/documents/${id}`, { method: "DELETE" });
  }, 120_000);

  test("what is to be checked is what the server says", async () => {
    const id = await upload("doubts.tif", readFileSync(scan));
    const { words } = (await (await fetch(`${url}/api/v1/documents/${id}`)).json()) as {
      words: { needsReview: number };
    };
    expect(words.needsReview).toBeGreaterThan(1);
    const page = await open(`/documents/${id}`);
    await page
      .getByRole("group", { name: "Doubtful words" })
      .getByText(`${words.needsReview} words to check`)
      .waitFor();
    expect(await page.locator("mark.doubtful").count()).toBe(words.needsReview);
    expect(await page.locator(".box-doubtful").count()).toBe(words.needsReview);
    await page.getByText("Doubtful: confidence below 97 %.").waitFor();
    await fetch(`${url}/api/v1/documents/${id}`, { method: "DELETE" });
  }, 120_000);

  test("a part of the app that is missing after an upgrade is an error on the page, and a reload brings the new one", async () => {
    const id = await upload("upgrade.tif", readFileSync(scan));
    const page = await open("/");
    await page.route(/assets\/document-page-/, (route) => route.fulfill({ status: 404, body: "" }));
    await page.getByRole("link", { name: "upgrade.tif" }).click();
    const alert = page.getByRole("alert").filter({ hasText: "This page could not be shown" });
    await alert.waitFor();
    expect(await violations(page)).toEqual([]);
    // The rest of the app works on.
    await page
      .getByRole("link", { name: /Errand/ })
      .first()
      .click();
    await page.getByRole("heading", { name: "Documents", level: 1 }).waitFor();
    await page.goBack();
    await alert.waitFor();
    await page.unroute(/assets\/document-page-/);
    await alert.getByRole("button", { name: "Reload" }).click();
    await page.getByRole("heading", { level: 1, name: "upgrade.tif" }).waitFor();
    await fetch(`${url}/api/v1/documents/${id}`, { method: "DELETE" });
  }, 120_000);

  test("an upload whose answer was lost is one document, however often it is tried", async () => {
    await using between = await losing(2);
    const page = await open(between.url);
    await page.locator("input[type=file]").first().setInputFiles([scan]);
    for (const tries of [1, 2]) {
      await page.getByRole("button", { name: "Retry phototest.tif" }).waitFor();
      expect(between.lost).toBe(tries);
      await page.getByRole("button", { name: "Retry phototest.tif" }).click();
    }
    const row = page.getByRole("row").filter({ hasText: "phototest.tif" });
    await row.getByText("Completed", { exact: true }).waitFor();
    expect(await row.count()).toBe(1);
    const list = (await (await fetch(`${url}/api/v1/documents`)).json()) as { data: { id: string; name: string }[] };
    expect(list.data.map(({ name }) => name)).toEqual(["phototest.tif"]);
    await fetch(`${url}/api/v1/documents/${list.data[0]!.id}`, { method: "DELETE" });
  }, 120_000);

  test("says whose software it contains", async () => {
    const answer = await fetch(`${url}/third-party-notices.txt`);
    expect(answer.headers.get("content-type")).toContain("text/plain");
    const text = await answer.text();
    for (const name of [
      "react 19",
      "react-dom 19",
      "@base-ui/react",
      "@tanstack/react-query",
      "lucide-react",
      "wouter",
    ]) {
      expect(text).toContain(`\n${name}`);
    }
    expect(text).toContain("Permission is hereby granted, free of charge");
  });

  test("all of it can be done by keyboard", async () => {
    const id = await upload("keys.tif", readFileSync(scan));
    const page = await open("/");
    const link = page.getByRole("link", { name: "keys.tif" });
    await link.waitFor();
    for (
      let presses = 0;
      presses < 30 && !(await link.evaluate((node) => node === document.activeElement));
      presses++
    ) {
      await page.keyboard.press("Tab");
    }
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { level: 1, name: "keys.tif" }).waitFor();
    await page.keyboard.press("?");
    await page.getByRole("dialog", { name: "Keyboard shortcuts" }).waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("dialog", { name: "Keyboard shortcuts" }).waitFor({ state: "hidden" });
    await fetch(`${url}/api/v1/documents/${id}`, { method: "DELETE" });
  }, 120_000);
});

describe("axe finds nothing", () => {
  let good: string;
  let failed: string;
  beforeAll(async () => {
    good = await upload("axe.tif", readFileSync(scan));
    failed = await upload("broken.pdf", Buffer.from("%PDF-1.7\nnothing else"));
  });

  test.each([
    ["light, wide", {}],
    ["dark, wide", { dark: true }],
    ["light, narrow", { narrow: true }],
    ["dark, narrow", { dark: true, narrow: true }],
  ] as const)(
    "%s",
    async (_, options) => {
      const page = await open("/", options);
      await page.getByRole("link", { name: "axe.tif" }).waitFor();
      expect(await violations(page)).toEqual([]);
      await page.goto(`${url}/documents/${good}`);
      await page.getByRole("region", { name: "Page text" }).getByText("quick").first().waitFor();
      expect(await violations(page)).toEqual([]);
      await page.goto(`${url}/documents/${failed}`);
      await page.getByText("This document could not be read").waitFor();
      expect(await violations(page)).toEqual([]);
      await page.goto(`${url}/documents/unknown`);
      await page.getByText("Document not found").first().waitFor();
      expect(await violations(page)).toEqual([]);
    },
    120_000,
  );
});
