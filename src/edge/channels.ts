/**
 * Ids of the frames that an isolate sends: 10 random bytes of the isolate, 2 of the channel, and the frame's place in the
 * channel as 4 bytes, big-endian. A shard knows a source (the first 12) by its newest sequence and the FRAME_ID_WINDOW below
 * it, so a channel has one user at a time, who sends in order: whoever needs one opens it and closes it again.
 *
 * Channels go from user to user, or a shard had to remember one for every request of the API.
 */
import type { Random } from "../base/random.ts";

/** Bytes of an id that name its source; a sequence follows. */
export const FRAME_SOURCE_BYTES = 12;
const ISOLATE_BYTES = 10;
/** Channels under one random id of the isolate; what follows begins a new one. */
const CHANNELS_MAX = 0xffff;
const LAST_SEQUENCE = 0xffff_ffff;
/** Closed channels that are kept for the next user, over all shards, about 200 B each. */
const FREE_MAX = 1_024;

export interface Channel {
  readonly source: Uint8Array;
  /** Sequence of its next frame; the first is 1. */
  next: number;
}

/** A frame's id. */
export function frameId(source: Uint8Array, sequence: number): Uint8Array {
  const id = new Uint8Array(source.length + 4);
  id.set(source);
  new DataView(id.buffer).setUint32(source.length, sequence);
  return id;
}

/** Whether the channel has no sequence left. */
export function isSpent({ next }: Channel): boolean {
  return next > LAST_SEQUENCE;
}

export class Channels {
  readonly #random: Random;
  readonly #perIsolate: number;
  #isolate: Uint8Array | undefined;
  #opened = 0;
  /** By the shard that knows them. */
  readonly #free = new Map<string, Channel[]>();
  #freeCount = 0;

  /** `random` is first asked when the first channel is opened: at global scope the platform has none. */
  constructor(random: Random, perIsolate = CHANNELS_MAX) {
    this.#random = random;
    this.#perIsolate = perIsolate;
  }

  /** A channel to one shard, the caller's alone. */
  open(site: string, epoch: number, shard: number): Channel {
    const free = this.#free.get(placeOf(site, epoch, shard))?.pop();
    if (free !== undefined) {
      this.#freeCount--;
      return free;
    }
    if (this.#isolate === undefined || this.#opened === this.#perIsolate) {
      this.#isolate = this.#random(new Uint8Array(ISOLATE_BYTES));
      this.#opened = 0;
    }
    const source = new Uint8Array(FRAME_SOURCE_BYTES);
    source.set(this.#isolate);
    new DataView(source.buffer).setUint16(ISOLATE_BYTES, this.#opened++);
    return { source, next: 1 };
  }

  /** The caller sends nothing more on it: another may. One that is not closed is never used again. */
  close(channel: Channel, site: string, epoch: number, shard: number): void {
    if (isSpent(channel) || this.#freeCount >= FREE_MAX) return;
    const place = placeOf(site, epoch, shard);
    const list = this.#free.get(place);
    if (list === undefined) this.#free.set(place, [channel]);
    else list.push(channel);
    this.#freeCount++;
  }
}

function placeOf(site: string, epoch: number, shard: number): string {
  return `${site}/${epoch}-${shard}`;
}
