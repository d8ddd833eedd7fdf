/** The page of docs/feed.md in a real browser: its WebSocket, a ticket for each connection, events over a killed server. */
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { freePort } from "../../scripts/lib/port.ts";
import {
  type FeedWorld,
  headOf,
  ja4Range,
  raisedIn,
  SITE,
  startFeedWorld,
} from "../contract/helpers/feed-world.ts";
import { launchChromium } from "../support/chromium.ts";
import { until } from "../support/client.ts";
import { type Program, runExample, writeExamples } from "../support/doc-examples.ts";

let browser: Browser;
let world: FeedWorld;
let origin: string;
let program: Program;
const { dir, remove } = writeExamples("docs/feed.md");

beforeAll(async () => {
  browser = await launchChromium();
  const port = await freePort();
  origin = `http://127.0.0.1:${port}`;
  world = await startFeedWorld({ ALLOWED_ORIGINS: origin });
  program = runExample(process.execPath, ["page-server.ts"], dir, {
    HELLOTIDE_URL: world.server.url,
    HELLOTIDE_TOKEN: world.server.token,
    PORT: String(port),
  });
  await until(`a page; ${program.errors()}`, 20_000, async () => {
    const answer = await fetch(origin).catch(() => undefined);
    return answer?.ok ? true : undefined;
  });
});
afterAll(async () => {
  await browser?.close();
  await program?.stop();
  await world?.server.stop();
  remove();
});

const linesOf = (page: Page) => page.locator("li").allTextContents();
const has = (page: Page, count: number) =>
  page.waitForFunction(`document.querySelectorAll("li").length >= ${count}`);
const isTitled = (page: Page, title: string) =>
  page.waitForFunction(`document.title === ${JSON.stringify(title)}`);

interface Ended {
  readonly code: number;
  readonly frames: number;
  readonly protocol: string;
}

/** Opens a socket in the page, until its first frame or its end. */
async function openIn(page: Page, protocol: string, ticket: string): Promise<Ended> {
  const url = `${world.server.url.replace("http", "ws")}/v1/sites/${SITE}/feed?since=0&ticket=${ticket}`;
  return await page.evaluate(
    ([address, name]) =>
      new Promise<Ended>((resolve) => {
        const socket = new WebSocket(address, name);
        let frames = 0;
        socket.binaryType = "arraybuffer";
        socket.onmessage = ({ data }) => {
          if (name !== "cloudevents.msgpack" || data instanceof ArrayBuffer) frames += 1;
          socket.close();
        };
        socket.onclose = ({ code }) => resolve({ code, frames, protocol: socket.protocol });
      }),
    [url, protocol] as const,
  );
}

async function newTicket(): Promise<string> {
  const answer = await world.client.post(`/v1/sites/${SITE}/feed-tickets`);
  return answer.json<{ ticket: string }>().ticket;
}

describe("a browser", () => {
  it("REAL-11: shows every event once and in order on the page of docs/feed.md, over a killed server", async () => {
    const page = await browser.newPage();
    const faults: string[] = [];
    page.on("pageerror", (error) => faults.push(error.message));
    await page.goto(origin);
    await isTitled(page, "Feed, connected");
    await world.cause(0, 20);
    await has(page, 20);
    await world.server.kill();
    await isTitled(page, "Feed, lost");
    await world.server.restart();
    await world.cause(100, 20);
    await has(page, 40);
    await world.server.restart();
    await world.cause(200, 20);
    await has(page, 60);
    const heads = (await linesOf(page)).map(headOf);
    expect(heads).toEqual(await world.kept(60));
    expect(raisedIn(heads).sort()).toEqual(
      [...ja4Range(0, 20), ...ja4Range(100, 120), ...ja4Range(200, 220)].sort(),
    );
    expect(faults).toEqual([]);
    await page.close();
  });

  it("REAL-12: opens the feed with a ticket once, in both encodings", async () => {
    const page = await browser.newPage();
    await page.goto(`${world.server.url}/healthz`);
    const ticket = await newTicket();
    const text = await openIn(page, "cloudevents.json", ticket);
    expect(text.protocol).toBe("cloudevents.json");
    expect(text.frames).toBeGreaterThan(0);
    // 1006: a browser does not tell a page why a handshake was refused.
    expect(await openIn(page, "cloudevents.json", ticket)).toEqual({ code: 1006, frames: 0, protocol: "" });
    const packed = await openIn(page, "cloudevents.msgpack", await newTicket());
    expect(packed.protocol).toBe("cloudevents.msgpack");
    expect(packed.frames).toBeGreaterThan(0);
    await page.close();
  });

  it("REAL-13: is refused on a page of an origin that is not listed", async () => {
    const foreign = await browser.newPage();
    // The same page server by another name is another origin.
    await foreign.goto(origin.replace("127.0.0.1", "localhost"));
    expect(await openIn(foreign, "cloudevents.json", await newTicket())).toMatchObject({
      code: 1006,
      frames: 0,
    });
    const listed = await browser.newPage();
    await listed.goto(origin);
    expect((await openIn(listed, "cloudevents.json", await newTicket())).frames).toBeGreaterThan(0);
    await foreign.close();
    await listed.close();
  });
});
