/** What the feed does by itself on the real engine: checkpoints, retention, the ends of tokens; over hibernation. */
import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import {
  FEED_CHECKPOINT_MS,
  FEED_UNACKED_MAX_BYTES,
  FEED_UNACKED_MAX_EVENTS,
} from "../../src/base/feed-limits.ts";
import { hex, sha256 } from "../../src/base/hash.ts";
import { FRESH_CREDIT } from "../../src/feed/credit.ts";
import type { Membership } from "../../src/feed/membership.ts";
import type { Proof } from "../../src/feed/proof.ts";
import { feedEvent } from "../../src/wire/event.ts";
import { breakMethods, CHROME, feedStub } from "./helpers.ts";

type Stub = ReturnType<typeof feedStub>;

const outbox = (n: number, kind = "surge") => [
  {
    n,
    event: JSON.stringify(
      feedEvent("shop", "hellotide.anomaly.raised", CHROME, `id-${n}`, "2026-11-23T12:00:00.000Z", {
        ...{ kind, severity: "warning", ja4: CHROME },
      }),
    ),
  },
];

async function subscribe(stub: Stub, proof?: Proof, filter = {}) {
  const asked = { filter, protocol: "cloudevents.json", ...(proof === undefined ? {} : { proof }) };
  const { status, webSocket } = await stub.fetch("http://feed", {
    headers: { upgrade: "websocket", "x-hellotide-subscription": JSON.stringify(asked) },
  });
  const frames: { type: string; data: Record<string, string> }[] = [];
  let code: number | undefined;
  let pongs = 0;
  const lengths: number[] = [];
  webSocket?.addEventListener("message", ({ data }) => {
    const frame = JSON.parse(String(data)) as (typeof frames)[number];
    if (frame.type === "pong") pongs++;
    else {
      frames.push(frame);
      lengths.push(String(data).length);
    }
  });
  webSocket?.addEventListener("close", (event) => {
    code = event.code;
  });
  webSocket?.accept();
  return {
    status,
    frames,
    code: () => code,
    pongs: () => pongs,
    lengths,
    send: (text: string) => webSocket?.send(text),
  };
}

const alarmMs = (stub: Stub) => runInDurableObject(stub, (_, state) => state.storage.getAlarm());
const hibernate = (stub: Stub) => evictDurableObject(stub, { webSockets: "hibernate" });
const checkpointsOf = ({ frames }: { frames: { type: string; data: Record<string, string> }[] }) =>
  frames.flatMap(({ type, data }) => (type === "hellotide.feed.checkpoint" ? [data.cursor] : []));

describe("checkpoints", () => {
  it("FD-2: come by the alarm alone while hidden events wait, also after hibernation; then no alarm is left for them", async () => {
    const stub = feedStub("alone");
    const feed = await subscribe(stub, undefined, { kinds: ["divergence"] });
    await stub.append("1-0", outbox(1));
    await stub.append("1-0", outbox(2));
    await expect.poll(() => checkpointsOf(feed)).toEqual(["0000000000000001"]);
    const dueMs = (await alarmMs(stub)) ?? 0;
    expect(dueMs - Date.now()).toBeLessThanOrEqual(FEED_CHECKPOINT_MS);
    // Half a minute ago for the socket; the object has it from nowhere else.
    await runInDurableObject(stub, (_, state) => {
      for (const socket of state.getWebSockets()) {
        const held = socket.deserializeAttachment() as { checkpointMs: number };
        socket.serializeAttachment({ ...held, checkpointMs: held.checkpointMs - FEED_CHECKPOINT_MS });
      }
    });
    await hibernate(stub);
    expect(await runDurableObjectAlarm(stub)).toBe(true);
    await expect.poll(() => checkpointsOf(feed)).toEqual(["0000000000000001", "0000000000000002"]);
    const next = (await alarmMs(stub)) ?? Number.POSITIVE_INFINITY;
    expect(next - Date.now()).toBeGreaterThan(FEED_CHECKPOINT_MS);
    // One that an event wakes knows that nobody was told of it.
    await hibernate(stub);
    await stub.append("1-0", outbox(3));
    expect(((await alarmMs(stub)) ?? Number.POSITIVE_INFINITY) - Date.now()).toBeLessThanOrEqual(
      FEED_CHECKPOINT_MS,
    );
  });
});

describe("credit", () => {
  it("FD-4: who never says a word gets exactly its credit, over hibernations and an attachment of earlier code; who acks stays", async () => {
    const stub = feedStub("asleep");
    await stub.applySettings({ revision: 1, storm: { raises: FEED_UNACKED_MAX_EVENTS * 2, perMs: 1_000 } });
    const [silent, reader] = [await subscribe(stub), await subscribe(stub)];
    await runInDurableObject(stub, (_, state) => {
      for (const socket of state.getWebSockets()) {
        const { filter, protocol } = socket.deserializeAttachment() as Membership;
        socket.serializeAttachment({ filter, protocol, credit: FRESH_CREDIT, errors: 0, pongMs: 0 });
      }
    });
    const step = 700;
    for (let n = 0; n < FEED_UNACKED_MAX_EVENTS + step; n += step) {
      await hibernate(stub);
      await stub.append(
        "1-0",
        Array.from({ length: step }, (_, i) => outbox(n + i + 1)[0]!),
      );
      await hibernate(stub);
      reader.send('{"type":"ping"}');
      await expect.poll(reader.pongs).toBe(n / step + 1);
    }
    await expect.poll(silent.code).toBe(1013);
    const events = ({ frames }: typeof silent) =>
      frames.filter(({ type }) => type === "hellotide.anomaly.raised").length;
    // The bytes are used up first.
    const bytes = silent.lengths.slice(1).reduce((sum, length) => sum + length, 0);
    expect(bytes).toBeLessThanOrEqual(FEED_UNACKED_MAX_BYTES);
    expect(bytes + Math.max(...silent.lengths)).toBeGreaterThan(FEED_UNACKED_MAX_BYTES);
    expect(reader.code()).toBeUndefined();
    expect(events(reader)).toBe(Math.ceil((FEED_UNACKED_MAX_EVENTS + step) / step) * step);
  });
});

describe("retention", () => {
  it("FD-5: an idle feed forgets by itself what is too old, and never the newest", async () => {
    const stub = feedStub("idle");
    for (const n of [1, 2, 3]) await stub.append("1-0", outbox(n));
    const kept = () =>
      runInDurableObject(stub, (_, state) =>
        state.storage.sql
          .exec<{ sequence: number }>("SELECT sequence FROM events ORDER BY sequence")
          .toArray()
          .map(({ sequence }) => sequence),
      );
    await runInDurableObject(
      stub,
      (_, state) => void state.storage.sql.exec("UPDATE events SET at_ms = 0 WHERE sequence < 3"),
    );
    await evictDurableObject(stub);
    expect(await kept()).toEqual([1, 2, 3]);
    expect(await runDurableObjectAlarm(stub)).toBe(true);
    expect(await kept()).toEqual([3]);
    await runInDurableObject(stub, (_, state) => void state.storage.sql.exec("UPDATE events SET at_ms = 0"));
    await evictDurableObject(stub);
    await stub.append("1-0", outbox(4));
    expect(await kept()).toEqual([4]);
  });
});

describe("the ends of tokens", () => {
  it("FD-8: a token that expires closes its sockets by the alarm, also after hibernation; another's stay", async () => {
    const stub = feedStub("expiry");
    const untilMs = Date.now() + 3_600_000;
    const [ends, stays] = [await subscribe(stub, { token: "a", untilMs }), await subscribe(stub)];
    expect(await alarmMs(stub)).toBe(untilMs);
    await runInDurableObject(stub, (_, state) => {
      for (const socket of state.getWebSockets()) {
        const held = socket.deserializeAttachment() as { proof?: Proof };
        if (held.proof !== undefined)
          socket.serializeAttachment({ ...held, proof: { ...held.proof, untilMs: Date.now() - 1 } });
      }
    });
    await hibernate(stub);
    expect(await runDurableObjectAlarm(stub)).toBe(true);
    await expect.poll(ends.code).toBe(4401);
    expect(stays.code()).toBeUndefined();
    expect((await subscribe(stub, { token: "a", untilMs: Date.now() - 1 })).status).toBe(401);
  });

  it("FD-9: a feed that did not answer hears of it by the account's alarm", async () => {
    const account = env.SETTINGS_NS.getByName("v1/_/settings");
    const stub = feedStub("shop");
    const digest = hex(await sha256("told later"));
    const token = { id: "late", name: "late", scopes: ["feed" as const], sites: ["shop"], sha256: digest };
    await account.createToken(token);
    const feed = await subscribe(stub, { token: "late", secret: digest.slice(0, 16) });
    const heal = await breakMethods(stub, "tokenChanged");
    expect(await account.deleteToken("late", undefined)).toBe("deleted");
    const setMs = await runInDurableObject(account, (_, state) => state.storage.getAlarm());
    expect((setMs ?? Number.POSITIVE_INFINITY) - Date.now()).toBeLessThan(30_000);
    expect(feed.code()).toBeUndefined();
    await heal();
    await evictDurableObject(account);
    expect(await runDurableObjectAlarm(account)).toBe(true);
    await expect.poll(feed.code).toBe(4401);
    expect(await runInDurableObject(account, (_, state) => state.storage.getAlarm())).toBeNull();
  });

  it("FD-9: who is let in by an isolate that has not heard of it is refused by the feed, and news of before change nothing", async () => {
    const stub = feedStub("stale");
    const now = { secret: "new" };
    await stub.tokenChanged({ token: "a", revision: 7, secrets: [now] });
    expect((await subscribe(stub, { token: "a", secret: "old" })).status).toBe(401);
    const holds = await subscribe(stub, { token: "a", secret: "new" });
    await stub.tokenChanged({ token: "a", revision: 6, secrets: [] });
    await evictDurableObject(stub, { webSockets: "hibernate" });
    expect((await subscribe(stub, { token: "a", secret: "new" })).status).toBe(101);
    await stub.append("1-0", outbox(1));
    await expect.poll(() => holds.frames.map(({ type }) => type)).toContain("hellotide.anomaly.raised");
    expect(holds.code()).toBeUndefined();
    await stub.tokenChanged({ token: "a", revision: 8, secrets: [] });
    await expect.poll(holds.code).toBe(4401);
  });
});
