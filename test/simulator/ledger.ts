/** What went over the network, as the checks need it: every frame with its fate, every event of an outbox. */
import { hex } from "../../src/base/hash.ts";
import { type Counters, decodeFrame } from "../../src/wire/frame.ts";
import { KEY_WORDS, unpackKey } from "../../src/wire/key.ts";
import type { Actor } from "./actor.ts";
import type { Context } from "./kernel.ts";
import type { Witness } from "./network.ts";

/** A frame that was sent at least once. */
export interface SentFrame {
  readonly id: string;
  readonly bytes: Uint8Array;
  readonly shard: string;
  /** Name of the sender's isolate. */
  readonly sender: string;
  readonly rows: number;
  /** Event times of its rows by fingerprint, ms; "" = without one. */
  readonly times: ReadonlyMap<string, readonly number[]>;
  readonly counters: Counters;
  /** Answers that left the shard and said that it was new. */
  accepted: number;
  /** An answer left the shard that says that it is counted. */
  isCounted: boolean;
  /** Such an answer reached a sender that still lived. */
  isAcknowledged: boolean;
}

interface Answer {
  ok: boolean;
  accepted?: number;
  duplicate?: number;
  stale?: number;
}

export class Ledger implements Witness {
  readonly frames = new Map<string, SentFrame>();
  /** By source: number of the outbox → id of the event. */
  readonly events = new Map<string, Map<number, string>>();
  readonly faults: string[] = [];

  called(caller: Context, actor: Actor, method: string, parameters: unknown[]): void {
    if (method === "ingest")
      for (const bytes of parameters[0] as Uint8Array[]) this.#frame(bytes, actor.name, caller.name);
    if (method === "append")
      this.#events(parameters[0] as string, parameters[1] as { n: number; event: string }[]);
  }

  answerLeft(actor: Actor, method: string, parameters: unknown[], value: unknown): void {
    if (method !== "ingest") return;
    const answer = value as Answer;
    if (!answer.ok) return;
    const { accepted = 0, duplicate = 0, stale = 0 } = answer;
    const frames = (parameters[0] as Uint8Array[]).map((bytes) => this.#frame(bytes, actor.name, ""));
    const rows = frames.reduce((sum, frame) => sum + frame.rows, 0);
    if (accepted + duplicate + stale !== rows)
      this.#fault("answers", `${rows} rows were sent, ${accepted + duplicate + stale} answered`);
    if (stale > 0) this.#fault("answers", `${stale} rows are stale`);
    for (const frame of frames) {
      frame.isCounted = true;
      if (accepted === rows && rows > 0 && ++frame.accepted > 1)
        this.#fault("once", `frame ${frame.id} of ${frame.sender} was accepted twice by ${actor.name}`);
    }
  }

  answerArrived(caller: Context, actor: Actor, method: string, parameters: unknown[], value: unknown): void {
    if (method !== "ingest" || !(value as Answer).ok) return;
    for (const bytes of parameters[0] as Uint8Array[]) {
      const frame = this.#frame(bytes, actor.name, "");
      if (frame.sender === caller.name) frame.isAcknowledged = true;
    }
  }

  #frame(bytes: Uint8Array, shard: string, sender: string): SentFrame {
    const frame = decodeFrame(bytes);
    const id = hex(frame.id);
    let sent = this.frames.get(id);
    if (sent === undefined) {
      const times = new Map<string, number[]>();
      for (let row = 0; row < frame.rows; row++) {
        const ja4 = unpackKey(frame.keys, frame.fp[row]! * KEY_WORDS);
        const ms = frame.baseMs + frame.at[row]!;
        const list = times.get(ja4);
        if (list === undefined) times.set(ja4, [ms]);
        else list.push(ms);
      }
      const { rows, counters } = frame;
      const fate = { accepted: 0, isCounted: false, isAcknowledged: false };
      sent = { id, bytes: bytes.slice(), shard, sender, rows, times, counters, ...fate };
      this.frames.set(id, sent);
    } else if (sent.rows !== frame.rows || sent.shard !== shard)
      this.#fault("once", `frame ${id} was sent with other rows, or to another shard`);
    return sent;
  }

  #events(source: string, events: readonly { n: number; event: string }[]): void {
    let known = this.events.get(source);
    if (known === undefined) {
      known = new Map();
      this.events.set(source, known);
    }
    for (const { n, event } of events) {
      const { id } = JSON.parse(event) as { id: string };
      const before = known.get(n);
      if (before !== undefined && before !== id)
        this.#fault("feed", `number ${n} of ${source} was given to two events`);
      known.set(n, id);
    }
  }

  #fault(invariant: string, text: string): void {
    this.faults.push(`${invariant}: ${text}`);
  }
}
