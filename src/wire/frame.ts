/**
 * The frame: observations on their way from an edge isolate or the API to one shard. It is also what the shard's
 * log stores, so its version is a disk format too.
 *
 * A frame is idempotent by its id and otherwise a sum: frames merge by being counted one after the other. Edges and shards
 * are replaced one after the other as well, so each version is read by the code after it (`frame-v1.ts`, `frame-v2.ts`),
 * and what a shard of earlier code refuses as `unknown_version` is sent again in the older form (`downgradeFrame`).
 */
import { FRAME_BYTES_MAX, FRAME_ROWS_MAX, SAMPLE_TEXT_MAX_CHARS } from "../config.ts";
import { type Fields, unpackFields } from "./fields.ts";
import { checkFrame, type Frame, FrameError } from "./frame-form.ts";
import { readFrameV1, writeFrameV1 } from "./frame-v1.ts";
import { readFrameV2, writeFrameV2 } from "./frame-v2.ts";
import { readMarks } from "./marks.ts";

export {
  COUNTERS,
  type CounterName,
  type Counters,
  FRAME_ID_BYTES,
  type Frame,
  type FrameDetections,
  FrameError,
  type FrameFault,
  IDENTITIES,
  SOURCES,
  type Source,
  WEIGHT_ONE,
} from "./frame-form.ts";

/** Versions that this code reads and writes; the last one is its own. */
type FrameVersion = 1 | 2;

/** Prescan limits; the items are what version 1 takes with every row a sample of its own fingerprint. */
const LIMITS = {
  depth: 3,
  items: 4 * FRAME_ROWS_MAX + 8 * FRAME_ROWS_MAX,
  textBytes: 4 * SAMPLE_TEXT_MAX_CHARS,
};

/** Bytes of a frame; a copy of their own. */
export function encodeFrame(frame: Frame, version: FrameVersion = 2): Uint8Array {
  return version === 1 ? writeFrameV1(frame) : writeFrameV2(frame);
}

/**
 * Reads a frame of any known version from bytes that may come from anywhere. Throws `FrameError`, and nothing else. The
 * samples are a view on `bytes`, and not looked at.
 */
export function decodeFrame(bytes: Uint8Array): Frame {
  if (bytes.length > FRAME_BYTES_MAX) throw new FrameError("too_large");
  const fields = unpackFields(bytes, LIMITS);
  const frame = readVersion(fields);
  checkFrame(frame);
  readMarks(fields, frame);
  return frame;
}

/**
 * The same frame, with the same id, as shards of version 1 understand it. Throws `FrameError` where the bytes are no frame.
 */
export function downgradeFrame(bytes: Uint8Array): Uint8Array {
  return writeFrameV1(decodeFrame(bytes));
}

function readVersion(fields: Fields): Frame {
  switch (fields.raw("v")) {
    case 1:
      return readFrameV1(fields);
    case 2:
      return readFrameV2(fields);
    default:
      throw new FrameError("unknown_version");
  }
}
