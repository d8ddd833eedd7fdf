/** Fields of an unpacked map, read one by one: whatever is not of the type that is asked for is `malformed`. */
import { unpack } from "./codec.ts";
import { COUNTERS, type Counters, FrameError, SOURCES, type Source } from "./frame-form.ts";
import { PrescanError, type PrescanLimits, prescan } from "./prescan.ts";

/** The map that the bytes, which may come from anywhere, are exactly. Throws `FrameError`. */
export function unpackFields(bytes: Uint8Array, limits: PrescanLimits): Fields {
  try {
    prescan(bytes, limits);
  } catch (error) {
    if (error instanceof PrescanError) throw new FrameError("not_msgpack");
    throw error;
  }
  return new Fields(unpack(bytes));
}

export class Fields {
  readonly #map: Record<string, unknown>;

  /** Throws `FrameError` when the value is no map. */
  constructor(value: unknown) {
    if (typeof value !== "object" || value === null || Array.isArray(value) || value instanceof Uint8Array)
      throw new FrameError("malformed");
    this.#map = value as Record<string, unknown>;
  }

  /** The value as it is; for what decides how to read on. */
  raw(name: string): unknown {
    return this.#map[name];
  }

  /** An integer from 0 up. */
  count(name: string): number {
    return asCount(this.#map[name]);
  }

  counts(name: string, length: number): number[] {
    const list = this.#list(name, length);
    for (let i = 0; i < length; i++) list[i] = asCount(list[i]);
    return list as number[];
  }

  source(name: string): Source {
    const source = SOURCES.find((known) => known === this.#map[name]);
    if (source === undefined) throw new FrameError("malformed");
    return source;
  }

  counters(name: string): Counters {
    const [rejected, expired, lost_at_edge, fields_dropped] = this.counts(name, COUNTERS.length);
    return {
      rejected: rejected!,
      expired: expired!,
      lost_at_edge: lost_at_edge!,
      fields_dropped: fields_dropped!,
    };
  }

  /** Texts of at most `maxChars` UTF-16 units; `length` of them where it is given. */
  texts(name: string, maxChars: number, length?: number): string[] {
    const list = this.#list(name, length);
    for (let i = 0; i < list.length; i++) {
      const text = list[i];
      if (typeof text !== "string" || text.length > maxChars) throw new FrameError("malformed");
    }
    return list as string[];
  }

  /** A view on the packed bytes. */
  bytes(name: string): Uint8Array {
    const bytes = this.#map[name];
    if (!(bytes instanceof Uint8Array)) throw new FrameError("malformed");
    return bytes;
  }

  /** A copy of `length` bytes (or a multiple of `width`) of its own, so that typed views on it are aligned. */
  copy(name: string, width: number, length?: number): ArrayBuffer {
    const bytes = this.bytes(name);
    if (length === undefined ? bytes.length % width !== 0 : bytes.length !== length)
      throw new FrameError("malformed");
    return new Uint8Array(bytes).buffer;
  }

  #list(name: string, length: number | undefined): unknown[] {
    const list = this.#map[name];
    if (!Array.isArray(list) || (length !== undefined && list.length !== length))
      throw new FrameError("malformed");
    return list;
  }
}

function asCount(value: unknown): number {
  if (!Number.isSafeInteger(value) || (value as number) < 0) throw new FrameError("malformed");
  // Not −0, which is written again as 0.
  return (value as number) + 0;
}
