/** Who is sent what, and for how long without a sign of life: against a count kept for each socket alone. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  FEED_CHECKPOINT_MS,
  FEED_UNACKED_MAX_BYTES,
  FEED_UNACKED_MAX_EVENTS,
} from "../../src/base/feed-limits.ts";
import { Audience } from "../../src/feed/audience.ts";
import { FRESH_CREDIT } from "../../src/feed/credit.ts";
import type { FeedFilter } from "../../src/feed/filter.ts";
import {
  type Membership,
  type PastEvent,
  renewedMembership,
  type StoredEvent,
  type Subprotocol,
} from "../../src/feed/membership.ts";
import { unpack } from "../../src/wire/codec.ts";

const PART = 8;

/** A socket whose client reads nothing unless told so. */
class Line {
  readyState = 1;
  readonly frames: (string | Uint8Array)[] = [];
  code: number | undefined;
  pongMs = 0;
  membership: Membership | undefined;
  saves = 0;
  send(frame: string | Uint8Array): void {
    this.frames.push(frame);
  }
  close(code: number): void {
    this.code = code;
    this.readyState = 2;
  }
}

/** The feed without its disk. */
class World {
  readonly lines: Line[] = [];
  readonly events: (StoredEvent & { atMs: number })[] = [];
  nowMs = 1_800_000_000_000;
  reads = 0;
  tests = 0;
  audience = this.#audience();

  #audience(): Audience<Line> {
    return new Audience<Line>(this.events.length, {
      pongMs: (line) => line.pongMs,
      save: (line, membership) => {
        line.membership = structuredClone(membership);
        line.saves++;
      },
    });
  }

  open(
    filter: FeedFilter = {},
    protocol: Subprotocol = "cloudevents.json",
    since = this.events.length,
  ): Line {
    const line = new Line();
    this.lines.push(line);
    const fresh = { filter, protocol, credit: FRESH_CREDIT, errors: 0, pongMs: 0, told: since };
    const member = this.audience.join(line, fresh);
    if (this.audience.replay(member, this.events.slice(since))) this.audience.settle(member);
    this.checkpoint();
    return line;
  }

  /** Events of these kinds, each of so many characters. */
  append(kinds: readonly string[], length = 100): void {
    const fresh = kinds.map((kind, i) => {
      const sequence = this.events.length + i + 1;
      const text = JSON.stringify({ sequence, kind }).padEnd(length);
      const test = () => void this.tests++;
      const traits = {
        ...{ type: "hellotide.anomaly.raised", severity: "warning", ja4: undefined, score: undefined },
        get kind() {
          test();
          return kind;
        },
      };
      return { sequence, text, traits, atMs: this.nowMs };
    });
    this.events.push(...fresh);
    this.audience.broadcast(fresh);
    this.checkpoint();
  }

  checkpoint(): void {
    this.audience.checkpoint(this.nowMs, (_, sequence) => `checkpoint ${sequence}`);
  }

  /** The object leaves the memory and comes back when it is needed. */
  hibernate(): void {
    this.audience = this.#audience();
    const open = this.lines.filter(({ readyState }) => readyState === 1);
    this.audience.restore(
      open.map((line) => [line, line.membership!] as const),
      (sequence) => this.past(sequence),
    );
  }

  past(after: number): PastEvent[] {
    this.reads = this.events.length - after;
    return this.events
      .slice(after)
      .map(({ sequence, traits, text, atMs }) => ({ sequence, traits, atMs, length: text.length }));
  }

  ack(line: Line): void {
    const member = this.audience.find(line);
    if (member !== undefined) this.audience.renew(member);
  }

  /** An ack that comes while the object is away: nobody keeps count. */
  dormantAck(line: Line): void {
    if (line.readyState === 1) line.membership = renewedMembership(line.membership!, this.events.length);
  }
}

const checkpoints = ({ frames }: Line) => frames.filter((frame) => String(frame).startsWith("checkpoint"));
const sequencesOf = ({ frames }: Line) =>
  frames.flatMap((frame) => {
    if (typeof frame !== "string") return (unpack(frame) as { sequence: number }).sequence;
    return frame.startsWith("{") ? (JSON.parse(frame) as { sequence: number }).sequence : [];
  });
const surges: FeedFilter = { kinds: ["surge"] };

describe("checkpoints", () => {
  it("FD-1: come when hidden events passed since the last frame, at most every 30 s, and say how far", () => {
    const world = new World();
    const [some, all] = [world.open(surges), world.open()];
    world.append(["surge"]);
    expect(world.audience.checkpointDueMs()).toBeUndefined();
    world.append(["surge", "storm"]);
    expect(checkpoints(some)).toEqual(["checkpoint 3"]);
    const sentMs = world.nowMs;
    world.nowMs += FEED_CHECKPOINT_MS - 1;
    world.append(["storm"]);
    expect(checkpoints(some)).toEqual(["checkpoint 3"]);
    expect(world.audience.checkpointDueMs()).toBe(sentMs + FEED_CHECKPOINT_MS);
    world.nowMs++;
    world.checkpoint();
    world.nowMs += FEED_CHECKPOINT_MS;
    world.checkpoint();
    expect(checkpoints(some)).toEqual(["checkpoint 3", "checkpoint 4"]);
    expect(checkpoints(all)).toEqual([]);
  });

  it("FD-1: a visible event tells by itself how far its client is", () => {
    const world = new World();
    const some = world.open(surges);
    world.append(["storm"]);
    world.append(["storm"]);
    expect(world.audience.checkpointDueMs()).toBeDefined();
    world.append(["surge"]);
    world.nowMs += FEED_CHECKPOINT_MS;
    world.checkpoint();
    expect(checkpoints(some)).toEqual(["checkpoint 1"]);
  });

  it("FD-1: a client that resumes past hidden events is told so at once; one of the same filter that has it is not", () => {
    const world = new World();
    const early = world.open(surges);
    world.append(["surge", "storm", "storm"]);
    world.nowMs += FEED_CHECKPOINT_MS;
    const late = world.open(surges, "cloudevents.json", 0);
    expect([checkpoints(early), checkpoints(late)]).toEqual([["checkpoint 3"], ["checkpoint 3"]]);
    expect(sequencesOf(late)).toEqual([1]);
  });

  it("FD-1: hibernation brings none forward and loses none", () => {
    const world = new World();
    const some = world.open(surges);
    world.append(["storm"]);
    const sentMs = world.nowMs;
    world.hibernate();
    expect(world.audience.checkpointDueMs()).toBeUndefined();
    world.nowMs += 10_000;
    world.append(["storm"]);
    world.hibernate();
    expect(world.audience.checkpointDueMs()).toBe(sentMs + FEED_CHECKPOINT_MS);
    world.dormantAck(some);
    world.hibernate();
    world.nowMs = sentMs + FEED_CHECKPOINT_MS;
    world.checkpoint();
    expect(checkpoints(some)).toEqual(["checkpoint 1", "checkpoint 2"]);
    world.append(["surge"]);
    world.hibernate();
    expect(world.audience.checkpointDueMs()).toBeUndefined();
  });
});

describe("fan-out", () => {
  it("FD-3: each of 5,000 gets every event that it wants, tested and encoded once for all with the same filter", () => {
    const world = new World();
    const count = 5_000;
    const lines = Array.from({ length: count }, (_, i) =>
      world.open(i % 2 === 0 ? surges : {}, i % 4 < 2 ? "cloudevents.json" : "cloudevents.msgpack"),
    );
    const before = lines.map(({ saves }) => saves);
    world.append(["surge", "impostor"]);
    // Two groups have a filter that looks at the kind.
    expect(world.tests).toBe(2 * 2);
    lines.forEach((line, i) => {
      expect(sequencesOf(line)).toEqual(i % 2 === 0 ? [1] : [1, 2]);
    });
    expect(new Set(lines.map(({ frames }) => frames[0])).size).toBe(2);
    // A checkpoint for those that were hidden one; sending alone writes nothing.
    expect(lines.map(({ saves }, i) => saves - before[i]!)).toEqual(
      lines.map((_, i) => (i % 2 === 0 ? 1 : 0)),
    );
  });

  it("FD-4: memberships are written each eighth of the credit, and as little is read on waking", () => {
    const world = new World();
    const [reader, hidden] = [world.open(), world.open({ kinds: ["storm"] })];
    const steps = 40;
    for (let n = 0; n < steps; n++) {
      world.append(Array<string>(100).fill("surge"));
      world.ack(reader);
    }
    const acked = steps + 1;
    const parts = (steps * 100) / (FEED_UNACKED_MAX_EVENTS / PART);
    expect(reader.saves).toBeLessThanOrEqual(acked + 2 * parts);
    expect(hidden.saves).toBeLessThanOrEqual(3 + parts);
    world.hibernate();
    expect(world.reads).toBeLessThanOrEqual(FEED_UNACKED_MAX_EVENTS / PART + 100);
    expect(reader.readyState).toBe(1);
  });
});

/** What a client may be sent without a sign of life, counted one by one. */
class Oracle {
  events = 0;
  bytes = 0;
  /** Frames that were looked at so far. */
  seen = 0;
  heard(): void {
    this.events = 0;
    this.bytes = 0;
  }
  take({ frames }: Line): void {
    for (const frame of frames.slice(this.seen)) {
      this.events++;
      this.bytes += frame.length;
    }
    this.seen = frames.length;
  }
  /** Whether it was sent more than it may have: all of it, to the last event, is none too many. */
  isPast(slack: number): boolean {
    return (
      this.events > FEED_UNACKED_MAX_EVENTS * (1 + slack) || this.bytes > FEED_UNACKED_MAX_BYTES * (1 + slack)
    );
  }
  /** Whether another frame is more than the client may have, `slack` = so much more is allowed. */
  refuses(length: number, slack: number): boolean {
    return (
      this.events + 1 > FEED_UNACKED_MAX_EVENTS * (1 + slack) ||
      this.bytes + length > FEED_UNACKED_MAX_BYTES * (1 + slack)
    );
  }
}

describe("credit", () => {
  const step = fc.oneof(
    {
      weight: 8,
      arbitrary: fc.record({
        kind: fc.constant("append" as const),
        count: fc.integer({ min: 1, max: 9 }),
        length: fc.integer({ min: 500, max: 30_000 }),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant("many" as const),
        count: fc.integer({ min: 300, max: 900 }),
        length: fc.constant(60),
      }),
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("hibernate" as const) }) },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constantFrom("ack" as const, "dormant" as const, "pong" as const),
        line: fc.nat(3),
      }),
    },
  );

  it("FD-4: nobody is closed within its credit; without a pong exactly past it, with one an eighth later at most", () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 20, maxLength: 80 }), (steps) => {
        const world = new World();
        const lines = [world.open(), world.open(), world.open(surges), world.open({}, "cloudevents.json", 0)];
        const oracles = lines.map(() => new Oracle());
        const [ponged, ended] = [new Set<number>(), new Set<number>()];
        for (const one of steps) {
          world.nowMs += 7;
          if (one.kind === "append" || one.kind === "many") {
            world.append(
              Array.from({ length: one.count }, (_, i) => (i % 3 === 0 ? "storm" : "surge")),
              one.length,
            );
            lines.forEach((line, i) => {
              const oracle = oracles[i]!;
              oracle.take(line);
              const slack = ponged.has(i) ? 1 / PART : 0;
              expect(oracle.isPast(slack)).toBe(false);
              if (line.code === undefined || ended.has(i)) return;
              ended.add(i);
              expect([line.code, oracle.refuses(one.length, 0)]).toEqual([1013, true]);
            });
          } else if (one.kind === "hibernate") world.hibernate();
          else {
            const line = lines[one.line]!;
            if (line.readyState !== 1) continue;
            oracles[one.line]!.heard();
            if (one.kind === "pong") {
              line.pongMs = world.nowMs;
              ponged.add(one.line);
            } else if (one.kind === "ack") world.ack(line);
            else {
              world.dormantAck(line);
              world.hibernate();
            }
          }
        }
      }),
      { numRuns: 60 },
    );
  });
});
