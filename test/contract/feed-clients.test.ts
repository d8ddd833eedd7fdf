/** The programs of docs/feed.md, in other people's clients: each gets every event once, over a server's end and its own. */
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { until } from "../support/client.ts";
import { type Program, runExample, writeExamples } from "../support/doc-examples.ts";
import { type FeedWorld, headOf, ja4Range, raisedIn, startFeedWorld } from "./helpers/feed-world.ts";

/** The first Python that has the library; version managers hide the system's, which Debian's packages are for. */
const python = ["python3", "/usr/bin/python3"].find(
  (command) => spawnSync(command, ["-c", "import websockets"], { stdio: "ignore" }).status === 0,
);
const NO_PYTHON = "no python3 with websockets; on Debian: apt-get install -y python3-websockets";
const hasCurl = spawnSync("curl", ["--version"], { stdio: "ignore" }).status === 0;

let world: FeedWorld;
beforeAll(async () => {
  world = await startFeedWorld();
}, 30_000);
afterAll(async () => world?.server.stop());

const environment = (token = world.server.token) => ({
  HELLOTIDE_URL: world.server.url,
  HELLOTIDE_TOKEN: token,
});

async function hasLines(program: Program, count: number): Promise<void> {
  await until(`${count} lines; ${program.errors()}`, 40_000, async () =>
    program.lines().length >= count ? true : undefined,
  );
}

/**
 * Runs a client over a killed and restarted server, stops it, and runs it again; answers all that it printed.
 * `base`: number of the first fingerprint; `before`: of events that are kept already.
 */
async function overRestarts(start: () => Program, base: number, before: number): Promise<string[]> {
  const first = start();
  try {
    await world.cause(base, 10);
    await hasLines(first, before + 10);
    await world.server.kill();
    await world.server.restart();
    await world.cause(base + 10, 10);
    await hasLines(first, before + 20);
  } finally {
    await first.stop();
  }
  await world.cause(base + 20, 10);
  const second = start();
  try {
    await hasLines(second, 10);
  } finally {
    await second.stop();
  }
  return [...first.lines(), ...second.lines()];
}

let keptBefore = 0;

describe("docs/feed.md", () => {
  it("REAL-1: Python's websockets gets every event once and in order, over a killed server and its own end", async ({
    skip,
  }) => {
    if (python === undefined) skip(NO_PYTHON);
    const { dir, remove } = writeExamples("docs/feed.md");
    try {
      const start = () => runExample(python ?? "", ["feed.py"], dir, environment());
      const heads = (await overRestarts(start, 1_000, keptBefore)).map(headOf);
      keptBefore += 30;
      expect(heads).toEqual(await world.kept(keptBefore));
      expect(raisedIn(heads).sort()).toEqual(ja4Range(1_000, 1_030).sort());
    } finally {
      remove();
    }
  }, 90_000);

  it("REAL-2: it ends when it is refused for good", async ({ skip }) => {
    if (python === undefined) skip(NO_PYTHON);
    const { dir, remove } = writeExamples("docs/feed.md");
    const refused = runExample(python ?? "", ["feed.py"], dir, environment("no-such-token"));
    try {
      expect(await refused.ended).toBe(1);
      expect(refused.errors()).toContain("401");
    } finally {
      await refused.stop();
      remove();
    }
  }, 30_000);

  it("REAL-3: curl -N gets every event once and in order, over a killed server and its own end", async ({
    skip,
  }) => {
    if (!hasCurl) skip("no curl");
    const { dir, remove } = writeExamples("docs/feed.md");
    try {
      const start = () => runExample("sh", ["feed.sh"], dir, environment());
      const lines = await overRestarts(start, 2_000, keptBefore);
      const events = lines.map((line) => JSON.parse(line) as Record<string, string>);
      const heads = events.map(({ sequence, type, subject }) => `${sequence} ${type} ${subject}`);
      keptBefore += 30;
      expect(heads).toEqual(await world.kept(keptBefore));
      expect(raisedIn(heads).slice(-30).sort()).toEqual(ja4Range(2_000, 2_030).sort());
    } finally {
      remove();
    }
  }, 90_000);

  it("FD-11: so does the TypeScript program, with our client, which ends where it is refused for good", async () => {
    const { dir, remove } = writeExamples("docs/feed.md");
    try {
      // The package is not installed here; its source is what it is built from.
      const file = join(dir, "feed.ts");
      const entry = JSON.stringify(new URL("../../client/index.ts", import.meta.url).href);
      writeFileSync(file, readFileSync(file, "utf8").replace('"hellotide/client"', entry));
      const start = (token?: string) => runExample(process.execPath, ["feed.ts"], dir, environment(token));
      const heads = (await overRestarts(start, 3_000, keptBefore)).map(headOf);
      keptBefore += 30;
      expect(heads).toEqual(await world.kept(keptBefore));
      expect(raisedIn(heads).slice(-30).sort()).toEqual(ja4Range(3_000, 3_030).sort());
      const refused = start("no-such-token");
      expect(await refused.ended).toBe(1);
      expect(refused.errors()).toContain("401");
    } finally {
      remove();
    }
  }, 120_000);
});
