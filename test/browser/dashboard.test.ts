/** The dashboard in a real browser, over the real server with real anomalies. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { gzipSync } from "node:zlib";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { backfill, burst } from "../contract/helpers/background.ts";
import { SITE as FEED_SITE, type FeedWorld, startFeedWorld } from "../contract/helpers/feed-world.ts";
import { AUDIENCE, startAccessTeam } from "../support/access-team.ts";
import { launchChromium } from "../support/chromium.ts";
import { createClient, ingestAll, ja4Of, until } from "../support/client.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { openFeed } from "../support/stream.ts";

const SITE = "shop";
const SEED = 90;
const FLOOD = ja4Of(999_990);
const WAIT_MS = 20_000;
const SIZE_MAX = 100_000;
const VIEWS = [
  ...["", "/fingerprints", `/fingerprints/${FLOOD}`, "/families", "/summary", "/thresholds", "/silences"].map(
    (path) => `sites/${SITE}${path}`,
  ),
  ...[`sites/${SITE}/webhooks`, "tokens", "audit"],
];
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

let browser: Browser;
let server: TestServer;

/** A page that knows a token, and what went wrong on it. */
interface Seen {
  readonly context: BrowserContext;
  readonly page: Page;
  readonly faults: string[];
  /** Hosts that were asked for anything. */
  readonly hosts: Set<string>;
}

async function openPage(at: TestServer, options: { dark?: boolean; token?: string } = {}): Promise<Seen> {
  const context = await browser.newContext({
    viewport: { width: 1_280, height: 900 },
    colorScheme: options.dark === true ? "dark" : "light",
  });
  const page = await context.newPage();
  const faults: string[] = [];
  const hosts = new Set<string>();
  page.on("pageerror", (error) => faults.push(error.message));
  page.on("console", (message) => {
    if (/Content Security Policy|TrustedScript/i.test(message.text())) faults.push(message.text());
  });
  page.on("request", (request) => hosts.add(new URL(request.url()).host));
  const token = options.token ?? at.token;
  await page.addInitScript(`sessionStorage.setItem("hellotide.token", ${JSON.stringify(token)})`);
  page.setDefaultTimeout(WAIT_MS);
  return { context, page, faults, hosts };
}

const go = (page: Page, at: TestServer, path: string) => page.goto(`${at.url}/#/${path}`);
/** Polled from here: the page's policy forbids a browser's own `waitForFunction`, which evaluates text. */
const holds = (page: Page, expression: string) =>
  until(expression, WAIT_MS, async () => ((await page.evaluate(expression)) === true ? true : undefined));
const settled = (page: Page) => holds(page, "document.querySelectorAll('.loading').length === 0");

beforeAll(async () => {
  browser = await launchChromium();
  server = await startServer({ sites: [SITE], shards: 2, env: { TICK: "1s" } });
  const client = createClient(server);
  await backfill(client, SITE, { seed: SEED, fingerprints: 100, perMinute: 200 });
  const feed = await openFeed(server, SITE, { query: "since=0" });
  await ingestAll(
    client,
    SITE,
    burst(3_000, 3_000, (i) => ({
      ja4: FLOOD,
      path: "/login",
      status: 401,
      method: "POST",
      client_ip: `10.9.${i % 200}.1`,
    })),
    { gzip: true },
  );
  await feed.waitFor("the flood", (event) => event.type.endsWith("raised") && event.subject === FLOOD);
  feed.close();
});
afterAll(async () => {
  await browser?.close();
  await server?.stop();
});

describe("the files", () => {
  it("DASH-1: are under 100 kB gzipped in all, need no token, and come with a strict policy", async () => {
    const answer = await fetch(server.url);
    const html = await answer.text();
    expect(answer.status).toBe(200);
    expect(answer.headers.get("content-security-policy")).toMatch(
      /default-src 'none'.*frame-ancestors 'none'/,
    );
    expect(answer.headers.get("content-security-policy")).not.toContain("unsafe");
    expect(html).not.toMatch(/<script(?![^>]*src=)|<style|\son\w+=|https?:\/\//);
    const names = [...html.matchAll(/(?:src|href)="(\/[^"]+)"/g)].map(([, name]) => name as string);
    let bytes = gzipSync(html).length;
    for (const name of names) {
      const file = await fetch(server.url + name);
      expect([name, file.status]).toEqual([name, 200]);
      expect(file.headers.get("cache-control")).toContain("immutable");
      bytes += gzipSync(new Uint8Array(await file.arrayBuffer())).length;
    }
    expect(names.length).toBeGreaterThanOrEqual(3);
    expect(bytes).toBeLessThan(SIZE_MAX);
  });

  it("DASH-2: are no answer to what is not there, nor to a visitor of the site", async () => {
    for (const path of ["/assets/none.js", "/assets/", "/assets", "/../wrangler.toml", "/index.html/x"]) {
      expect([path, (await fetch(server.url + path)).status]).toEqual([path, 404]);
    }
    expect((await fetch(server.url, { method: "POST" })).status).toBe(404);
  });
});

describe("signing in", () => {
  it("DASH-3: refuses a wrong token in a sentence, takes a right one, keeps it in the tab, and forgets it", async () => {
    const context = await browser.newContext({ colorScheme: "dark" });
    const page = await context.newPage();
    page.setDefaultTimeout(WAIT_MS);
    await page.goto(server.url);
    await page.getByLabel("API token").waitFor();
    expect(await page.locator("html").getAttribute("data-theme")).toBe("dark");
    await page.getByLabel("API token").fill("no such token");
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("alert").waitFor();
    await page.getByLabel("API token").fill(server.token);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.locator("button.episode").first().waitFor();
    expect(await page.evaluate("localStorage.getItem('hellotide.token')")).toBeNull();
    await page.reload();
    await page.locator("button.episode").first().waitFor();
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByLabel("API token").waitFor();
    expect(await page.evaluate("sessionStorage.length")).toBe(0);
    await context.close();
  });
});

describe("Cloudflare Access", () => {
  it("DASH-14: lets a browser in without a token, feed and all", async () => {
    const team = await startAccessTeam();
    const env = { ACCESS_TEAM: team.origin, ACCESS_AUD: AUDIENCE };
    // The engine of tests may call loopback, where the team's keys are.
    const world = await startServer({ sites: [SITE], shards: 1, testCf: true, env });
    const context = await browser.newContext({
      // As Access adds it to every request, on the way to the Worker.
      extraHTTPHeaders: { "cf-access-jwt-assertion": await team.sign("ann@example.com") },
    });
    const page = await context.newPage();
    page.setDefaultTimeout(WAIT_MS);
    await go(page, world, `sites/${SITE}`);
    await page.locator(".status.live").waitFor();
    expect(await page.getByRole("button", { name: "Sign out" }).count()).toBe(0);
    expect(await page.evaluate("sessionStorage.length")).toBe(0);
    await context.close();
    await world.stop();
    team.stop();
  });
});

describe.each(["light", "dark"])("in the %s theme", (theme) => {
  it("DASH-4: every view opens by its address, without an error, a request elsewhere, or anything that axe finds", async () => {
    const { context, page, faults, hosts } = await openPage(server, { dark: theme === "dark" });
    const found: unknown[] = [];
    for (const view of VIEWS) {
      await go(page, server, view);
      await page.locator("main h1, main h2, main .bar").first().waitFor();
      await settled(page);
      expect(await page.locator("html").getAttribute("data-theme")).toBe(theme);
      // By the debugger, which the page's policy does not bind.
      const axe = await page.context().newCDPSession(page);
      await axe.send("Runtime.evaluate", { expression: AXE });
      const { violations } = (await page.evaluate("axe.run()")) as {
        violations: { id: string; nodes: { html: string }[] }[];
      };
      for (const { id, nodes } of violations) found.push([view, id, nodes[0]?.html]);
      await axe.detach();
    }
    expect(found).toEqual([]);
    expect(faults).toEqual([]);
    expect([...hosts]).toEqual([new URL(server.url).host]);
    await context.close();
  });
});

describe("live", () => {
  it("DASH-5: shows the flood with its evidence, takes a verdict, and silences in two clicks", async () => {
    const { context, page, faults } = await openPage(server);
    await go(page, server, `sites/${SITE}?ja4=${FLOOD}`);
    await page.locator("button.episode").first().click();
    const details = page.locator(".details");
    await details.getByText("/login").first().waitFor();
    await details.getByRole("button", { name: "True" }).click();
    await details.getByText("Marked as a true one.").waitFor();
    await details.getByRole("button", { name: "Silence …" }).click();
    await details.getByRole("button", { name: "for 1 h" }).click();
    await details.getByText("Silenced for 1 h.").waitFor();
    await go(page, server, `sites/${SITE}/silences`);
    await page.getByRole("cell", { name: "from the dashboard" }).first().waitFor();
    await page
      .getByRole("button", { name: /Delete silence/ })
      .first()
      .click();
    await page.getByRole("button", { name: /Really Delete silence/i }).click();
    await page.getByText("Nothing is silenced.").waitFor();
    expect(faults).toEqual([]);
    await context.close();
  });

  it("DASH-6: keeps its filters in the address, and its keys", async () => {
    const { context, page } = await openPage(server);
    await go(page, server, `sites/${SITE}`);
    await page.locator("button.episode").first().waitFor();
    await page.getByLabel("At least").selectOption("critical");
    await holds(page, "location.hash.includes('severity=critical')");
    await page.getByLabel("At least").selectOption("");
    await page.locator(".bar").click();
    await page.keyboard.press("j");
    expect(await page.evaluate("document.activeElement.className")).toBe("episode");
    await page.keyboard.press("Enter");
    await page.locator(".details").waitFor();
    await page.keyboard.press("p");
    await page.getByRole("button", { name: "Go on (0 new)" }).waitFor();
    await context.close();
  });

  it("DASH-7: goes on by itself over a server that was killed, says so, and misses nothing", async () => {
    const world: FeedWorld = await startFeedWorld();
    const { context, page } = await openPage(world.server);
    await go(page, world.server, `sites/${FEED_SITE}`);
    await page.getByText("Live", { exact: true }).nth(1).waitFor();
    await world.cause(0, 5);
    await holds(page, "document.querySelectorAll('button.episode').length === 5");
    await world.server.kill();
    await page.getByText("Connection lost").waitFor();
    await world.server.restart();
    await world.cause(100, 5);
    await holds(page, "document.querySelectorAll('button.episode').length === 10");
    await page.getByText("Live again, nothing missed").waitFor();
    await context.close();
    await world.server.stop();
  });
});

describe("settings", () => {
  it("DASH-8: a threshold's dry run is shown before it is kept; then it is listed, changed, turned off and deleted", async () => {
    const { context, page } = await openPage(server);
    await go(page, server, `sites/${SITE}/thresholds`);
    await page.getByText(/Now it would fire at [1-9]/).waitFor();
    await page.getByRole("textbox", { name: /^Name/ }).fill("errors");
    await page.getByRole("button", { name: "Keep it" }).click();
    await page.getByRole("rowheader", { name: "errors" }).waitFor();
    await page.getByRole("button", { name: "Change errors" }).click();
    await page.getByLabel("Value").fill("0.25");
    await page.getByRole("button", { name: "Keep it" }).click();
    await page.getByText("error_ratio (5m) > 0.25").waitFor();
    await page.getByRole("button", { name: "Turn off errors" }).click();
    await page.getByRole("button", { name: "Turn on errors" }).waitFor();
    await page.getByRole("button", { name: "Delete errors" }).click();
    await page.getByRole("button", { name: "Really Delete errors" }).click();
    await page.getByText("No threshold is set.").waitFor();
    await page.getByLabel("Value").fill("");
    await page.getByRole("textbox", { name: /^For/ }).fill("soon");
    await page.getByText("This rule cannot be").waitFor();
    await context.close();
  });

  it("DASH-9: secrets of a token and of a webhook are shown once; the audit names who made them", async () => {
    const { context, page } = await openPage(server);
    await go(page, server, "tokens");
    await page.getByRole("textbox", { name: /^Name/ }).fill("on call");
    await page.getByRole("button", { name: "Make it" }).click();
    const secret = await page.locator(".secret code").innerText();
    expect(secret.length).toBeGreaterThan(30);
    await page.getByRole("button", { name: "I have it" }).click();
    await page.getByRole("rowheader", { name: "on call" }).waitFor();
    expect(await page.content()).not.toContain(secret);
    await go(page, server, `sites/${SITE}/webhooks`);
    await page.getByLabel("Address").fill("https://localhost/hook");
    await page.getByRole("button", { name: "Add" }).click();
    await page.getByRole("alert").waitFor();
    await page.getByLabel("Address").fill("https://hooks.example.com/x");
    await page.getByRole("button", { name: "Add" }).click();
    expect(await page.locator(".secret code").innerText()).toMatch(/^whsec_/);
    await page.getByRole("rowheader", { name: "https://hooks.example.com/x" }).waitFor();
    await go(page, server, "audit");
    await page.getByRole("rowheader", { name: "webhook.create" }).first().waitFor();
    await page.getByRole("rowheader", { name: "token.create" }).first().waitFor();
    await context.close();
  });

  it("DASH-10: who may not is told what is missing", async () => {
    const made = await createClient(server).post("/v1/tokens", {
      json: { name: "reader", scopes: ["read", "feed"], sites: [SITE] },
    });
    const { context, page } = await openPage(server, { token: made.json<{ token: string }>().token });
    await go(page, server, "tokens");
    await page.getByText("Not allowed with this token.").waitFor();
    await context.close();
  });
});

describe("a long list", () => {
  it("DASH-11: 5,000 fingerprints are a list of which a screenful is in the document", async () => {
    const world = await startServer({ sites: [SITE], shards: 2 });
    const records = Array.from({ length: 5_000 }, (_, i) => ({ timestamp: Date.now(), ja4: ja4Of(i) }));
    await ingestAll(createClient(world), SITE, records, { gzip: true });
    const { context, page } = await openPage(world);
    await go(page, world, `sites/${SITE}/fingerprints`);
    await page.getByText("5,000 fingerprints").waitFor();
    expect(await page.locator(".rows tbody tr").count()).toBeLessThan(80);
    await page.evaluate("document.querySelector('.rows').scrollTop = 1e9");
    await holds(page, "document.querySelector('.rows tbody tr').offsetHeight > 150000");
    expect(await page.locator(".rows tbody tr").count()).toBeLessThan(80);
    await context.close();
    await world.stop();
  });
});
