/**
 * The other way into the engine: tallies become single requests, frames of them go through a real window. Of a tally's n
 * requests the first so many say yes to a fact, so many show a value that nobody has seen, and the rest what the fingerprint
 * showed last: counted by the window they must come out as the tally that went in.
 */
import { mix32 } from "../../../src/base/hash.ts";
import { FRAME_ROWS_MAX, MINUTE_MS, SLOT_MS } from "../../../src/config.ts";
import type { GlobalSignals } from "../../../src/signals/global.ts";
import { FACTS, NEW_IPS, NEW_PATHS, NEW_UAS, REQS, type Tally } from "../../../src/window/tally.ts";
import type { Window } from "../../../src/window/window.ts";
import { factBits, HAS_IP, HAS_PATH, HAS_SIGNALS, HAS_UA, RATIOS } from "../../../src/wire/flags.ts";
import { FRAME_ID_BYTES, type Frame } from "../../../src/wire/frame.ts";
import { NO_COUNTERS } from "../../../src/wire/frame-builder.ts";
import { KEY_WORDS, packKey } from "../../../src/wire/key.ts";
import { GLOBAL_SIGNALS } from "../../../src/wire/signal-names.ts";
import type { Dice } from "./dice.ts";

/** In the order of `Row.shown`. */
const NEW_COLUMNS = [NEW_IPS, NEW_UAS, NEW_PATHS] as const;

/** Who sends: name, signals, and what its requests showed last. */
export interface Sender {
  readonly ja4: string;
  readonly global: GlobalSignals | undefined;
  readonly shown: [number, number, number];
}

export function senderOf(ja4: string, global: GlobalSignals | undefined): Sender {
  return { ja4, global, shown: [0, 0, 0] };
}

interface Row {
  sender: Sender;
  ms: number;
  flags: number;
  ip: number;
  ua: number;
  path: number;
}

let fresh = 0;
/** A value that nobody has shown: `mix32` is a bijection. */
function freshValue(): number {
  fresh = (fresh + 1) >>> 0;
  return mix32(fresh) >>> 0;
}

/** Requests that wait for their slot. */
export class Rows {
  readonly #window: Window;
  readonly #slots = new Map<number, Row[]>();

  constructor(window: Window) {
    this.#window = window;
  }

  /**
   * A tally's requests at times in [firstMs, lastMs], one of them at `firstMs`. `isNew`: the window knows nothing that the
   * sender has shown before.
   */
  add(sender: Sender, tally: Tally, firstMs: number, lastMs: number, isNew: boolean, dice: Dice): void {
    const reqs = tally[REQS]!;
    if (reqs === 0) return;
    const before = sender.shown.slice();
    for (let i = 0; i < NEW_COLUMNS.length; i++) {
      const shows = tally[NEW_COLUMNS[i]!]!;
      if (shows > 0 && (isNew || shows === reqs)) sender.shown[i] = freshValue();
    }
    for (let at = 0; at < reqs; at++) {
      const value = (i: number): number => {
        if (at >= tally[NEW_COLUMNS[i]!]!) return sender.shown[i]!;
        return at === 0 && sender.shown[i] !== before[i] ? sender.shown[i]! : freshValue();
      };
      const ms = at === 0 ? firstMs : firstMs + dice.int(lastMs - firstMs + 1);
      const slot = Math.floor((ms - 1) / SLOT_MS);
      const row = {
        sender,
        ms,
        flags: flagsOf(sender, tally, at),
        ip: value(0),
        ua: value(1),
        path: value(2),
      };
      const rows = this.#slots.get(slot);
      if (rows === undefined) this.#slots.set(slot, [row]);
      else rows.push(row);
    }
  }

  /** Has the window count everything up to the end of a slot, and moves it there. */
  send(endMs: number): void {
    const slot = Math.floor((endMs - 1) / SLOT_MS);
    const rows = this.#slots.get(slot) ?? [];
    this.#slots.delete(slot);
    this.#window.advance(endMs);
    for (let at = 0; at < rows.length; at += FRAME_ROWS_MAX)
      this.#window.apply(frameOf(rows.slice(at, at + FRAME_ROWS_MAX), endMs), endMs);
  }
}

function flagsOf({ global }: Sender, tally: Tally, at: number): number {
  let flags = HAS_IP | HAS_UA | HAS_PATH | (global === undefined ? 0 : HAS_SIGNALS);
  for (let ratio = 0; ratio < RATIOS.length; ratio++) {
    if (at >= tally[FACTS + 2 * ratio]!) continue;
    flags |= factBits(RATIOS[ratio]!, at < tally[FACTS + 2 * ratio + 1]!);
  }
  return flags;
}

const keys = new Map<string, Uint32Array>();

function keyOf(ja4: string): Uint32Array {
  let key = keys.get(ja4);
  if (key === undefined) {
    key = new Uint32Array(KEY_WORDS);
    if (!packKey(ja4, key, 0)) throw new RangeError(`not a JA4: ${ja4}`);
    keys.set(ja4, key);
  }
  return key;
}

function frameOf(rows: readonly Row[], nowMs: number): Frame {
  const places = new Map<Sender, number>();
  for (const { sender } of rows) if (!places.has(sender)) places.set(sender, places.size);
  const table = new Uint32Array(places.size * KEY_WORDS);
  const told = [...places.keys()].filter(({ global }) => global !== undefined);
  for (const [sender, place] of places) table.set(keyOf(sender.ja4), place * KEY_WORDS);
  const baseMs = rows.reduce((least, { ms }) => Math.min(least, ms), nowMs);
  const column = (value: (row: Row) => number) => Uint32Array.from(rows, value);
  return {
    id: new Uint8Array(FRAME_ID_BYTES),
    source: "observations",
    ...{ baseMs, fps: places.size, keys: table, rows: rows.length },
    fp: Uint16Array.from(rows, ({ sender }) => places.get(sender)!),
    at: column(({ ms }) => ms - baseMs),
    flags: column(({ flags }) => flags),
    identities: {
      ip: column(({ ip }) => ip),
      ua: column(({ ua }) => ua),
      path: column(({ path }) => path),
      host: new Uint32Array(rows.length),
      asn: new Uint32Array(rows.length),
    },
    signals: {
      fp: Uint16Array.from(told, (sender) => places.get(sender)!),
      seenAtMs: new Float64Array(told.length).fill(nowMs),
      values: Float64Array.from(
        told.flatMap(({ global }) => GLOBAL_SIGNALS.map((name) => global?.values[name] ?? Number.NaN)),
      ),
    },
    samples: new Uint8Array(0),
    counters: NO_COUNTERS,
  };
}

/** The last ms of a minute. */
export function minuteEndMs(minute: number): number {
  return (minute + 1) * MINUTE_MS;
}
