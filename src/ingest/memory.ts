/**
 * What a shard knows in memory because of its log. It changes by `take` alone, so that reading the log again with the same
 * times gives the same memory; its image is the checkpoint.
 *
 *   image  position: minute, seq · totals by minute, as JSON · frame ids · evidence · window
 */
import { ImageError, layoutOf, type PartSink, readImage, writeImage } from "../base/image.ts";
import { EvidenceRing } from "../detect/evidence-ring.ts";
import { Window } from "../window/window.ts";
import type { Frame } from "../wire/frame.ts";
import { KEY_WORDS } from "../wire/key.ts";
import { TakenFrames } from "./taken-frames.ts";
import { addLogged, type LoggedTotals, noLogged } from "./totals.ts";

/** A place in the log, by the minute's table and the row in it. */
export interface LogPosition {
  readonly minute: number;
  readonly seq: number;
}

const LOG_START: LogPosition = { minute: 0, seq: 0 };

/** From a place of the log on: how far the window's clock lies behind. */
export interface DelayChange {
  /** The last row that was taken before. */
  readonly after: LogPosition;
  readonly delayMs: number;
  /** Where the window's clock was, ms. */
  readonly asOfMs: number;
}

const LAYOUT = layoutOf("shard memory", "minute", "seq", "totals");

export class ShardMemory {
  readonly window: Window;
  readonly evidence: EvidenceRing;
  readonly ids: TakenFrames;
  /** Totals of the minutes (of arrival) that are in the log. */
  readonly perMinute: Map<number, LoggedTotals>;
  /** How far the window lies behind the time at which a row is written, ms. Not in the image: `DelayChange`s are kept apart. */
  delayMs = 0;
  /** Last row of the log that was taken. */
  position: LogPosition;

  private constructor(parts: Pick<ShardMemory, "window" | "evidence" | "ids" | "perMinute" | "position">) {
    this.window = parts.window;
    this.evidence = parts.evidence;
    this.ids = parts.ids;
    this.perMinute = parts.perMinute;
    this.position = parts.position;
  }

  /** Nothing is known. `seed`: 32 bits that clients do not know. */
  static empty(seed: number): ShardMemory {
    return new ShardMemory({
      window: new Window(seed),
      evidence: new EvidenceRing(),
      ids: new TakenFrames(),
      perMinute: new Map(),
      position: LOG_START,
    });
  }

  get byteLength(): number {
    const parts = Object.values(this.window.memory()).reduce((sum, bytes) => sum + bytes, 0);
    return parts + this.evidence.byteLength + this.ids.byteLength;
  }

  /** Takes a frame of the log's table of `minute`, at the time at which it was written, ms. */
  take(frame: Frame, minute: number, atMs: number): void {
    let totals = this.perMinute.get(minute);
    if (totals === undefined) {
      totals = noLogged();
      this.perMinute.set(minute, totals);
    }
    this.ids.take(frame.id, minute);
    const accepted = this.window.apply(frame, atMs - this.delayMs, this.delayMs);
    const { counters, source, rows } = frame;
    const dropped = this.window.takeDropped();
    const { late, future } = dropped;
    const { rejected, expired } = counters;
    addLogged(totals, {
      ...{ ...dropped, accepted, counters, sources: { [source]: rows } },
      results: { [source]: { accepted, late, future, rejected, expired } },
      withoutJa4: rowsWithoutJa4(frame),
    });
    this.evidence.add(frame);
  }

  /** The window's clock lies further behind from here on, or less; it never goes back. */
  setDelay({ delayMs, asOfMs }: DelayChange): void {
    this.window.advance(asOfMs);
    this.delayMs = delayMs;
  }

  /** Hands over the image of all this in parts, each of which the next one overwrites. Changes nothing. */
  writeImage(sink: PartSink): void {
    const totals = new TextEncoder().encode(JSON.stringify([...this.perMinute]));
    writeImage((into) => {
      into.section(LAYOUT);
      into.int(this.position.minute);
      into.int(this.position.seq);
      into.bytes(totals);
      this.ids.writeImage(into);
      this.evidence.writeImage(into);
      this.window.writeImage(into);
    }, sink);
  }

  /** `parts` can be iterated more than once. Throws ImageError for whatever this code cannot read. */
  static readImage(parts: Iterable<Uint8Array>): ShardMemory {
    return readImage(parts, (from) => {
      from.section(LAYOUT);
      const position = { minute: from.int(), seq: from.int() };
      const perMinute = new Map(parseTotals(from.bytes()));
      const ids = TakenFrames.readImage(from);
      const evidence = EvidenceRing.readImage(from);
      const window = Window.readImage(from);
      return new ShardMemory({ window, evidence, ids, perMinute, position });
    });
  }
}

/** Rows whose fingerprint in the table is none: a key of zeros. */
function rowsWithoutJa4({ fps, keys, rows, fp }: Frame): number {
  let none = 0;
  while (none < fps && keys[none * KEY_WORDS + KEY_WORDS - 1] !== 0) none++;
  if (none === fps) return 0;
  let count = 0;
  for (let row = 0; row < rows; row++) if (fp[row] === none) count++;
  return count;
}

function parseTotals(bytes: Uint8Array): [number, LoggedTotals][] {
  try {
    return JSON.parse(new TextDecoder().decode(bytes)) as [number, LoggedTotals][];
  } catch (error) {
    if (error instanceof SyntaxError) throw new ImageError("malformed");
    throw error;
  }
}
