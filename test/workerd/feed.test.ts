/** The feed on the real engine: sockets that survive hibernation, sequence, laggards. */
import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { describe, expect, it } from "vitest";
import { FEED_UNACKED_MAX_EVENTS } from "../../src/base/feed-limits.ts";
import { feedEvent } from "../../src/wire/event.ts";
import { CHROME, call, feedStub } from "./helpers.ts";

function outbox(from: number, to: number, over: { kind?: string; score?: number } = {}) {
  return Array.from({ length: to - from + 1 }, (_, i) => ({
    n: from + i,
    event: JSON.stringify(
      feedEvent("shop", "hellotide.anomaly.raised", CHROME, `id-${from + i}`, "2026-11-23T12:00:00.000Z", {
        kind: "surge",
        severity: "warning",
        ja4: CHROME,
        ...over,
      }),
    ),
  }));
}

interface Opened {
  socket: WebSocket;
  frames: { type: string; sequence?: string; id: string; data: Record<string, string> }[];
  closed: Promise<CloseEvent>;
}

async function open(site: string, query = ""): Promise<Opened> {
  const answer = await call(`/v1/sites/${site}/feed${query}`, { headers: { upgrade: "websocket" } });
  const socket = answer.webSocket;
  if (socket === null) throw new Error(`no socket: ${answer.status}`);
  const frames: Opened["frames"] = [];
  socket.addEventListener("message", ({ data }) => {
    if (typeof data === "string" && data.startsWith("{"))
      frames.push(JSON.parse(data) as Opened["frames"][number]);
  });
  const closed = new Promise<CloseEvent>((resolve) => socket.addEventListener("close", resolve));
  socket.accept();
  return { socket, frames, closed };
}

/** Everything that was sent before has arrived when the pong is back. */
function roundTrip({ socket }: Opened): Promise<void> {
  return new Promise((resolve) => {
    const onPong = ({ data }: MessageEvent) => {
      if (data !== "pong") return;
      socket.removeEventListener("message", onPong);
      resolve();
    };
    socket.addEventListener("message", onPong);
    socket.send("ping");
  });
}

const sequences = ({ frames }: Opened) =>
  frames.flatMap(({ sequence }) => (sequence === undefined ? [] : Number(sequence)));

describe("sequence", () => {
  it("FEED-W1: repeats of an outbox change nothing, also after an eviction; numbers go on without a hole", async () => {
    const stub = feedStub("shop");
    expect(await stub.append("1-0", outbox(1, 3))).toBe(3);
    expect(await stub.append("1-0", outbox(2, 4))).toBe(4);
    await evictDurableObject(stub);
    expect(await stub.append("1-0", outbox(1, 5))).toBe(5);
    expect(await stub.append("1-1", outbox(1, 1))).toBe(1);
    const feed = await open("shop", "?since=0");
    await roundTrip(feed);
    expect(sequences(feed)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(feed.frames.slice(1).map(({ id }) => id)).toEqual([
      "id-1",
      "id-2",
      "id-3",
      "id-4",
      "id-5",
      "id-1",
    ]);
  });

  it("FEED-W2: what is too old is forgotten and told as a gap, the newest stays so that numbers go on", async () => {
    const stub = feedStub("api");
    await stub.append("1-0", outbox(1, 3));
    await runInDurableObject(stub, (_, state) => void state.storage.sql.exec("UPDATE events SET at_ms = 0"));
    await evictDurableObject(stub);
    await stub.append("1-0", outbox(4, 4));
    const feed = await open("api", "?since=1");
    await roundTrip(feed);
    expect(feed.frames.map(({ type }) => type)).toEqual([
      "hellotide.feed.hello",
      "hellotide.feed.gap",
      "hellotide.anomaly.raised",
    ]);
    expect(feed.frames[1]?.data).toEqual({ from: "0000000000000001", to: "0000000000000003" });
    expect(sequences(feed)).toEqual([4]);
  });
});

describe("storm", () => {
  const event = (n: number, type: string) => ({
    n,
    event: JSON.stringify(
      feedEvent("shop", `hellotide.anomaly.${type}`, CHROME, `${type}-${n}`, "2026-11-23T12:00:00.000Z", {
        ...{ anomaly_id: `a-${n % 10}`, kind: "surge", severity: "warning", ja4: CHROME, score: n },
      }),
    ),
  });
  const storm = { raises: 2, perMs: 60_000 };

  it("STORM-7: further raises, their updates and ends are kept and not delivered; its own events are; an eviction changes nothing", async () => {
    const stub = feedStub("storm");
    await stub.applySettings({ revision: 1, storm });
    const told = async () =>
      runInDurableObject(stub, (_, state) =>
        state.storage.sql
          .exec<{ event: string }>("SELECT event FROM events ORDER BY sequence")
          .toArray()
          .map(({ event: text }) => {
            const { type, data } = JSON.parse(text) as {
              type: string;
              data: { anomaly_id: string; grouped: boolean; raises?: number };
            };
            const name = data.raises === undefined ? data.anomaly_id : `storm of ${data.raises}`;
            return [type.slice("hellotide.".length), name, ...(data.grouped ? ["grouped"] : [])].join(" ");
          }),
      );
    await stub.append("1-0", [event(1, "raised"), event(2, "raised"), event(3, "raised")]);
    await evictDurableObject(stub);
    await stub.append("1-1", [event(4, "raised")]);
    await stub.append("1-0", [event(11, "updated"), event(13, "updated"), event(23, "cleared")]);
    // The same again: nothing counts twice.
    await stub.append("1-1", [event(4, "raised")]);
    const kept = [
      ...["anomaly.raised a-1", "anomaly.raised a-2", "anomaly.raised a-3 grouped", "site.raised storm of 1"],
      ...["anomaly.raised a-4 grouped", "anomaly.updated a-1", "anomaly.updated a-3 grouped"],
      "anomaly.cleared a-3 grouped",
    ];
    expect(await told()).toEqual(kept);
    // A minute later the alarm ends it.
    await runInDurableObject(stub, (_, state) => {
      const { sql } = state.storage;
      const held = JSON.parse(sql.exec<{ state: string }>("SELECT state FROM storm").one().state) as {
        raisedAtMs: number[];
      };
      const raisedAtMs = held.raisedAtMs.map((ms) => ms - storm.perMs);
      sql.exec("UPDATE storm SET state = ?", JSON.stringify({ ...held, raisedAtMs }));
    });
    await evictDurableObject(stub);
    expect(await runDurableObjectAlarm(stub)).toBe(true);
    expect(await told()).toEqual([...kept, "site.cleared storm of 2"]);
  });
});

describe("sockets", () => {
  it("FEED-W3: a socket lives through the object's eviction with its filter; the control is a new instance", async () => {
    const stub = feedStub("default");
    const feed = await open("default", "?min_score=5");
    await roundTrip(feed);
    await runInDurableObject(stub, (instance) => void Object.assign(instance, { marked: true }));
    await evictDurableObject(stub, { webSockets: "hibernate" });
    expect(await runInDurableObject(stub, (instance) => "marked" in instance)).toBe(false);
    await stub.append("1-0", [
      ...outbox(1, 1, { score: 9 }),
      ...outbox(2, 2, { score: 2 }),
      ...outbox(3, 3, { score: 6 }),
    ]);
    await roundTrip(feed);
    expect(sequences(feed)).toEqual([1, 3]);
  });

  it("FEED-W4: a client that never acks is closed with 1013 at its limit; one that acks is not", async () => {
    const stub = feedStub("lag");
    const subscribe = async () => {
      const answer = await stub.fetch("http://feed", {
        headers: {
          upgrade: "websocket",
          "x-hellotide-subscription": JSON.stringify({ filter: {}, protocol: "cloudevents.json" }),
        },
      });
      const socket = answer.webSocket!;
      let count = 0;
      const closed = new Promise<number>((resolve) =>
        socket.addEventListener("close", ({ code }) => resolve(code)),
      );
      socket.addEventListener("message", ({ data }) => {
        if (String(data).includes('"sequence"')) count++;
      });
      socket.accept();
      return { socket, closed, count: () => count };
    };
    const [silent, reader] = [await subscribe(), await subscribe()];
    const step = 500;
    // No storm is to group them.
    await stub.applySettings({ revision: 1, storm: { raises: FEED_UNACKED_MAX_EVENTS * 2, perMs: 1_000 } });
    for (let n = 0; n < FEED_UNACKED_MAX_EVENTS + step; n += step) {
      await stub.append("1-0", outbox(n + 1, n + step));
      const pong = new Promise<void>((resolve) =>
        reader.socket.addEventListener("message", ({ data }) => String(data).includes("pong") && resolve()),
      );
      reader.socket.send(JSON.stringify({ type: "ping" }));
      await pong;
    }
    expect(await silent.closed).toBe(1013);
    expect(silent.count()).toBeLessThanOrEqual(FEED_UNACKED_MAX_EVENTS);
    expect(reader.count()).toBe(FEED_UNACKED_MAX_EVENTS + step);
  });

  it("FEED-W5: a ticket opens once, and never after its time", async () => {
    const stub = feedStub("tickets");
    await stub.addTicket("digest-a", Date.now() + 30_000);
    await stub.addTicket("digest-b", Date.now() - 1);
    expect([await stub.useTicket("digest-a"), await stub.useTicket("digest-a")]).toEqual([{}, false]);
    expect([await stub.useTicket("digest-b"), await stub.useTicket("never")]).toEqual([false, false]);
  });
});
