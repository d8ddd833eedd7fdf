/** An isolate's list of tokens: how often it asks, and what it believes meanwhile. */
import { describe, expect, it } from "vitest";
import { Allowance } from "../../src/api/allowance.ts";
import { Credentials } from "../../src/api/credentials.ts";
import type { AccountObject, Credential } from "../../src/api/objects.ts";
import { RateLimits } from "../../src/api/rate-limit.ts";
import {
  TOKENS_ASK_BURST,
  TOKENS_FRESH_MS,
  TOKENS_STALE_MS,
  TOKENS_WAITING_MAX,
} from "../../src/base/account-limits.ts";
import { Problem } from "../../src/base/problem.ts";

const KNOWN = "a".repeat(64);
const credential = (sha256: string): Credential => ({
  id: sha256.slice(0, 4),
  scopes: ["read"],
  sites: ["*"],
  secrets: [{ sha256 }],
});

/** An account that counts its calls, on a clock that the test moves. */
function world() {
  const state = {
    nowMs: 1_000_000,
    calls: 0,
    lists: 0,
    down: false,
    revision: 1,
    list: [credential(KNOWN)],
    hold: undefined as Promise<void> | undefined,
  };
  const account = {
    credentials: async (known: number | undefined) => {
      state.calls++;
      await state.hold;
      if (state.down) throw new Problem(503, "unavailable", "down");
      if (known === state.revision) return { revision: state.revision };
      state.lists++;
      return { revision: state.revision, list: state.list };
    },
  } as AccountObject;
  const credentials = new Credentials();
  const find = (sha256: string) => credentials.find(sha256, account, () => state.nowMs);
  const status = (sha256: string) =>
    find(sha256).then(
      (found) => (found === undefined ? 401 : 200),
      (error: unknown) => (error instanceof Problem ? error.status : 500),
    );
  const set = (list: Credential[]) => {
    state.list = list;
    state.revision++;
  };
  return { state, credentials, find, status, set };
}

describe("an isolate's list of tokens", () => {
  it("TOKEN-13: a known token costs a call at the first time and when the list is old, and a list only when it changed", async () => {
    const { state, status } = world();
    for (let i = 0; i < 100; i++) expect(await status(KNOWN)).toBe(200);
    expect(state.calls).toBe(1);
    for (let second = 0; second < 300; second++) {
      state.nowMs += 1_000;
      expect(await status(KNOWN)).toBe(200);
    }
    expect(state.calls).toBeLessThanOrEqual(1 + 300_000 / TOKENS_FRESH_MS);
    expect(state.calls).toBeGreaterThan(5);
    expect(state.lists).toBe(1);
  });

  it("TOKEN-14: a revocation holds within 60 s, whenever the list was fetched", async () => {
    for (const afterMs of [0, 1, 1_000, TOKENS_FRESH_MS - 1, TOKENS_FRESH_MS, TOKENS_STALE_MS]) {
      const { state, status, set } = world();
      expect(await status(KNOWN)).toBe(200);
      state.nowMs += afterMs;
      set([]);
      state.nowMs += 60_000;
      expect(await status(KNOWN)).toBe(401);
    }
  });

  it("TOKEN-15: tokens that nobody made cost few calls, and a new one is found all the same", async () => {
    const { state, status, set } = world();
    await status(KNOWN);
    for (let i = 0; i < 1_000; i++) expect(await status(i.toString(16).padStart(64, "0"))).toBe(401);
    expect(state.calls).toBe(1 + TOKENS_ASK_BURST);
    const made = "b".repeat(64);
    set([credential(KNOWN), credential(made)]);
    state.nowMs += 1_000;
    expect(await status(made)).toBe(200);
  });

  it("TOKEN-16: without the account a known token is good for a while, and then all are 503, not 401", async () => {
    const { state, status } = world();
    state.down = true;
    expect(await status(KNOWN)).toBe(503);
    state.down = false;
    state.nowMs += 5_000;
    expect(await status(KNOWN)).toBe(200);
    state.down = true;
    state.nowMs += TOKENS_FRESH_MS + 1;
    expect(await status(KNOWN)).toBe(200);
    expect(await status("c".repeat(64))).toBe(503);
    state.nowMs += TOKENS_STALE_MS;
    expect(await status(KNOWN)).toBe(503);
    const { calls } = state;
    for (let i = 0; i < 100; i++) expect(await status(KNOWN)).toBe(503);
    expect(state.calls).toBe(calls);
    state.down = false;
    state.nowMs += 5_000;
    expect(await status(KNOWN)).toBe(200);
  });

  it("TOKEN-17: one request renews, the others go on; no more than so many wait", async () => {
    const { state, status } = world();
    await status(KNOWN);
    let release = () => {};
    state.hold = new Promise((resolve) => {
      release = resolve;
    });
    state.nowMs += TOKENS_FRESH_MS + 1;
    const renewing = status(KNOWN);
    for (let i = 0; i < 50; i++) expect(await status(KNOWN)).toBe(200);
    expect(state.calls).toBe(2);
    state.nowMs += TOKENS_STALE_MS;
    const waiting = Array.from({ length: TOKENS_WAITING_MAX }, () => status(KNOWN));
    release();
    expect(await renewing).toBe(200);
    const outcomes = await Promise.all(waiting);
    expect(outcomes.filter((outcome) => outcome === 503).length).toBe(1);
    expect(state.calls).toBe(1 + TOKENS_WAITING_MAX);
  });

  it("TOKEN-18: of two answers that crossed the newer list stays", async () => {
    const { state, credentials, status, set } = world();
    const second = "d".repeat(64);
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const old = { revision: 1, list: [credential(KNOWN)] };
    const slow = { credentials: () => held.then(() => old) } as unknown as AccountObject;
    const late = credentials.find(KNOWN, slow, () => state.nowMs);
    set([credential(second)]);
    expect(await status(second)).toBe(200);
    release();
    expect(await late).toBeUndefined();
    expect(await status(second)).toBe(200);
  });
});

describe("a revocation by the isolate itself", () => {
  it("TOKEN-21: holds at once, also when an answer from before it is still on its way", async () => {
    const { state, credentials, status, set } = world();
    expect(await status(KNOWN)).toBe(200);
    let release = () => {};
    state.hold = new Promise((resolve) => {
      release = resolve;
    });
    state.nowMs += TOKENS_FRESH_MS + 1;
    const revision = state.revision;
    const late = credentials.find(
      KNOWN,
      { credentials: () => state.hold?.then(() => ({ revision })) } as unknown as AccountObject,
      () => state.nowMs,
    );
    set([]);
    credentials.forget();
    release();
    await late;
    expect(await status(KNOWN)).toBe(401);
  });
});

describe("rate limit", () => {
  it("RATE-2: a burst, then a steady pace; each caller for itself", () => {
    const limits = new RateLimits(60);
    for (let i = 0; i < 60; i++) {
      expect(limits.count("a", 0).ratelimit).toBe(`"default";r=${59 - i};t=${i + 1}`);
    }
    const refused = () => limits.count("a", 500);
    expect(refused).toThrow(Problem);
    try {
      refused();
    } catch (error) {
      const { status, more } = error as Problem;
      expect(status).toBe(429);
      expect(more.headers).toEqual({
        "ratelimit-policy": '"default";q=60;w=60',
        ratelimit: '"default";r=0;t=60',
        "retry-after": "1",
      });
    }
    expect(limits.count("b", 500).ratelimit).toBe('"default";r=59;t=1');
    expect(limits.count("a", 1_000).ratelimit).toBe('"default";r=0;t=60');
    expect(refused).toThrow(Problem);
  });

  it("RATE-3: 0 is no limit, and what callers cost is bounded", () => {
    const free = new RateLimits(0);
    for (let i = 0; i < 10_000; i++) expect(free.count("a", 0)).toEqual({});
    const limits = new RateLimits(1);
    for (let i = 0; i < 4_096; i++) limits.count(`c${i}`, 0);
    expect(() => limits.count("c0", 0)).toThrow(Problem);
    limits.count("one more", 0);
    // The first one went, so it begins anew; the second did not.
    expect(() => limits.count("c0", 0)).not.toThrow();
    expect(() => limits.count("c2", 0)).toThrow(Problem);
  });

  it("RATE-4: over any time no more is let through than burst and pace allow, and a clock that goes back gives nothing", () => {
    const bucket = new Allowance(10, 100);
    let taken = 0;
    for (let ms = 0; ms < 10_000; ms += 7) if (bucket.take(ms)) taken++;
    expect(taken).toBeGreaterThanOrEqual(105);
    expect(taken).toBeLessThanOrEqual(110);
    while (bucket.take(10_000));
    for (let i = 0; i < 100; i++) expect(bucket.take(10_000 - i * 50)).toBe(false);
    expect(bucket.waitMs).toBeGreaterThan(0);
  });
});
