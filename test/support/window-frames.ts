/** Observations as a shard sees them: decoded frames, made without an edge. */
import { HAS_ASN, HAS_HOST, HAS_IP, HAS_PATH, HAS_UA, SCORE_SHIFT } from "../../src/wire/flags.ts";
import { FRAME_ID_BYTES, type Frame } from "../../src/wire/frame.ts";
import { KEY_WORDS, packKey } from "../../src/wire/key.ts";
import { GLOBAL_SIGNALS } from "../../src/wire/signal-names.ts";

export interface Observed {
  at: number;
  /** "" = no JA4. */
  ja4: string;
  /** Fact bits; the flags of identities follow from which are there. */
  facts?: number;
  ip?: number;
  ua?: number;
  path?: number;
  host?: number;
  asn?: number;
  /** Bot score 1–99. */
  score?: number;
  detections?: readonly number[];
  /** The first global signal; the others are absent. */
  signal?: number;
}

/** A fingerprint by number: all different. */
export function ja4Of(n: number): string {
  return `t13d1516h2_8daaf6152771_${n.toString(16).padStart(12, "0")}`;
}

export function frameOf(observed: readonly Observed[]): Frame {
  const names = [...new Set(observed.map(({ ja4 }) => ja4))];
  const keys = new Uint32Array(names.length * KEY_WORDS);
  names.forEach((ja4, i) => {
    if (!packKey(ja4, keys, i * KEY_WORDS)) throw new Error(`${ja4} is no fingerprint`);
  });
  const baseMs = Math.min(...observed.map(({ at }) => at), Number.MAX_SAFE_INTEGER);
  const column = (of: (one: Observed) => number) => Uint32Array.from(observed, of);
  const signals = observed.filter(({ signal }) => signal !== undefined);
  return {
    id: new Uint8Array(FRAME_ID_BYTES),
    source: "observations",
    baseMs: observed.length === 0 ? 0 : baseMs,
    fps: names.length,
    keys,
    rows: observed.length,
    fp: Uint16Array.from(observed, ({ ja4 }) => names.indexOf(ja4)),
    at: column(({ at }) => at - baseMs),
    flags: column(
      ({ facts, ip, ua, path, host, asn, score }) =>
        (facts ?? 0) |
        ((score ?? 0) << SCORE_SHIFT) |
        (ip === undefined ? 0 : HAS_IP) |
        (ua === undefined ? 0 : HAS_UA) |
        (path === undefined ? 0 : HAS_PATH) |
        (host === undefined ? 0 : HAS_HOST) |
        (asn === undefined ? 0 : HAS_ASN),
    ),
    identities: {
      ip: column(({ ip }) => ip ?? 0),
      ua: column(({ ua }) => ua ?? 0),
      path: column(({ path }) => path ?? 0),
      host: column(({ host }) => host ?? 0),
      asn: column(({ asn }) => asn ?? 0),
    },
    signals: {
      fp: Uint16Array.from(signals, ({ ja4 }) => names.indexOf(ja4)),
      seenAtMs: Float64Array.from(signals, ({ at }) => at),
      values: Float64Array.from(
        signals.flatMap(({ signal }) => GLOBAL_SIGNALS.map((_, i) => (i === 0 ? signal! : Number.NaN))),
      ),
    },
    samples: new Uint8Array(0),
    ...detectionsOf(observed),
    counters: { rejected: 0, expired: 0, lost_at_edge: 0, fields_dropped: 0 },
  };
}

function detectionsOf(observed: readonly Observed[]): Pick<Frame, "detections"> {
  const ids = observed.map(({ detections }) => detections ?? []);
  if (ids.every(({ length }) => length === 0)) return {};
  const start = new Uint16Array(observed.length + 1);
  for (const [row, { length }] of ids.entries()) start[row + 1] = start[row]! + length;
  return { detections: { start, ids: Uint32Array.from(ids.flat()) } };
}
