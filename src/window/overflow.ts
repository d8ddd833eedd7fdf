/**
 * What happens beyond a shard's capacity. Nothing is lost: a request of a fingerprint that there is no room for is counted
 * under OVERFLOW and in its families, and the fingerprint in an estimate of how many such there are. Room is made for
 * whoever comes a third time (a count-min door in front): the least active of a sample leaves, and all it had is moved here.
 */
import { type ImageReader, type ImageWriter, layoutOf } from "../base/image.ts";
import { DOOR_AGE_KNOCKS, DOOR_SIGHTINGS, FAMILIES_BEYOND_MAX, VICTIM_SAMPLE } from "../config.ts";
import { Door } from "../sketch/door.ts";
import { KEY_WORDS } from "../wire/key.ts";
import { type FamilySums, familyOf, PARTS, type Part } from "./families.ts";
import { FIRST_ID, OVERFLOW } from "./fingerprints.ts";
import type { Store } from "./store.ts";
import { NEW_IPS, REQS, SHOWS_NEW_IP } from "./tally.ts";
import { minuteOf, SLOTS_A_MINUTE, slotOf, stampOf } from "./time.ts";

/** OVERFLOW and its families have fingerprints where others have addresses: in the first set, and in its "new" column. */
const FINGERPRINT_SET = 0;
const SHOWS_NEWBORN = SHOWS_NEW_IP;
const NEWBORNS = NEW_IPS;
const LAYOUT = layoutOf("overflow", ...PARTS, FINGERPRINT_SET, SHOWS_NEWBORN, NEWBORNS);

export class Overflow {
  readonly #store: Store;
  readonly #door: Door;
  /** Family → index of its record, by part. */
  readonly #families: Record<Part, Map<number, number>> = { a: new Map(), b: new Map(), c: new Map() };
  readonly #key = new Uint32Array(KEY_WORDS);
  #hand = FIRST_ID;
  #knocks = 0;
  /** Requests counted here instead of under their fingerprint. */
  requests = 0;
  /** Fingerprints that had to leave. */
  evicted = 0;
  /** How often a fingerprint's distinct counts were made coarser to save memory. */
  folded = 0;

  constructor(store: Store, seed: number) {
    this.#store = store;
    this.#door = new Door(seed);
  }

  get byteLength(): number {
    // An entry of a Map of two numbers takes about 40 bytes in V8.
    return this.#door.byteLength + PARTS.reduce((sum, part) => sum + this.#families[part].size * 40, 0);
  }

  /** Whether a fingerprint that is not held has come often enough to be let in. */
  knocks(hash: number): boolean {
    // A flood would fill every counter before the minutes are over, and then let everybody in.
    if (++this.#knocks >= DOOR_AGE_KNOCKS) this.age();
    return this.#door.note(hash) >= DOOR_SIGHTINGS;
  }

  /** Lets sightings of long ago fade. */
  age(): void {
    this.#knocks = 0;
    this.#door.age();
  }

  /** Counts a request of a fingerprint that is not held. */
  count(hash: number, keys: Uint32Array, at: number, slot: number, flags: number): void {
    this.requests++;
    const { fingerprints } = this.#store;
    this.#countIn(fingerprints.link(OVERFLOW), hash, slot, flags);
    for (const part of PARTS) {
      const index = this.#family(part, familyOf(part, keys, at));
      if (index >= 0) this.#countIn(index, hash, slot, flags);
    }
  }

  /** Fingerprints in here, in the slots from … now. */
  fingerprints(from: number, now: number): number {
    const { fingerprints, sets } = this.#store;
    return sets.count(fingerprints.link(OVERFLOW), FINGERPRINT_SET, stampOf(from), stampOf(now));
  }

  /** Adds these families to the others. */
  addFamilies(part: Part, sums: FamilySums, minuteFrom: number): void {
    const { sets, tracked } = this.#store;
    for (const [family, index] of this.#families[part]) {
      if (tracked.hourReqs(index) === 0) continue;
      const minute = new Uint32Array(tracked.hour(index).length);
      tracked.series.sum(tracked.slots(index), minuteFrom, minute);
      sums.add(family, tracked.hourReqs(index), sets.countHour(index, FINGERPRINT_SET), minute[NEWBORNS]!);
    }
  }

  /** Makes room: the least active of a sample of fingerprints (those in full alone, or all) leaves. False without any. */
  evictOne(inFullOnly: boolean): boolean {
    const { fingerprints } = this.#store;
    const victim = this.#leastActive((id) => !inFullOnly || fingerprints.isInFull(id));
    if (victim < 0) return false;
    this.evict(victim);
    return true;
  }

  /** Makes distinct counts of the least active coarser among those that can be. False when none can. */
  foldOne(): boolean {
    const { fingerprints, sets } = this.#store;
    const id = this.#leastActive((one) => fingerprints.isInFull(one) && sets.canFold(fingerprints.link(one)));
    if (id < 0) return false;
    sets.fold(fingerprints.link(id));
    this.folded++;
    return true;
  }

  /**
   * Of the next VICTIM_SAMPLE candidates the one with the fewest requests; of equals the one not seen for longest. −1 when a
   * whole round finds none.
   */
  #leastActive(isCandidate: (id: number) => boolean): number {
    const { fingerprints, tracked } = this.#store;
    // Whoever came in the newest slots only would look idle otherwise.
    tracked.settle();
    let victim = -1;
    let fewest = Number.POSITIVE_INFINITY;
    let seenMs = 0;
    let found = 0;
    for (let looked = 0; looked < fingerprints.idEnd && found < VICTIM_SAMPLE; looked++) {
      if (++this.#hand >= fingerprints.idEnd) this.#hand = FIRST_ID;
      const id = this.#hand;
      if (!fingerprints.isLive(id) || !isCandidate(id)) continue;
      found++;
      const reqs = this.#store.hourReqs(id);
      const lastMs = fingerprints.lastSeenMs(id);
      if (reqs > fewest || (reqs === fewest && lastMs >= seenMs)) continue;
      victim = id;
      fewest = reqs;
      seenMs = lastMs;
    }
    return victim;
  }

  /** Moves all that a fingerprint had in here. Inboxes must be settled, as `leastActive` leaves them. */
  evict(id: number): void {
    const { fingerprints, rows } = this.#store;
    this.evicted++;
    fingerprints.copyKey(id, this.#key);
    const hash = fingerprints.tag(id);
    if (fingerprints.isInFull(id)) this.#absorb(id, hash);
    else {
      const held: { slot: number; flags: number }[] = [];
      for (let row = fingerprints.link(id); row !== 0; row = rows.next(row))
        held.push({ slot: rows.slot(row), flags: rows.flags(row) & ~SHOWS_NEWBORN });
      // The oldest first: it is with that one that the fingerprint was born.
      held.sort((a, b) => a.slot - b.slot);
      for (const { slot, flags } of held) this.count(hash, this.#key, 0, slot, flags);
    }
    this.#store.scores.remove(id);
    this.#store.remove(id);
  }

  /** Drops records of families that nothing is left of. */
  trim(): void {
    const { tracked } = this.#store;
    for (const part of PARTS) {
      for (const [family, index] of this.#families[part]) {
        if (tracked.hourReqs(index) !== 0) continue;
        this.#store.removeInFull(index);
        this.#families[part].delete(family);
      }
    }
  }

  /** Every record of its own. */
  *records(): Generator<number> {
    for (const part of PARTS) yield* this.#families[part].values();
  }

  /** Families in the order in which they came: their records are given back in that order. */
  writeImage(writer: ImageWriter): void {
    writer.section(LAYOUT);
    writer.u32(this.#hand);
    for (const count of [this.#knocks, this.requests, this.evicted, this.folded]) writer.int(count);
    for (const part of PARTS) {
      writer.u32(this.#families[part].size);
      for (const [family, index] of this.#families[part]) {
        writer.int(family);
        writer.u32(index);
      }
    }
    this.#door.writeImage(writer);
  }

  /** Throws an ImageError. */
  readImage(reader: ImageReader): void {
    reader.section(LAYOUT);
    this.#hand = reader.u32();
    this.#knocks = reader.int();
    this.requests = reader.int();
    this.evicted = reader.int();
    this.folded = reader.int();
    for (const part of PARTS) {
      for (let left = reader.u32(FAMILIES_BEYOND_MAX); left > 0; left--)
        this.#families[part].set(reader.int(), reader.u32());
    }
    this.#door.readImage(reader);
  }

  #countIn(index: number, hash: number, slot: number, flags: number): void {
    const { sets, tracked } = this.#store;
    const fresh = sets.see(index, FINGERPRINT_SET, hash, stampOf(slot));
    tracked.count(index, slot, fresh === 1 ? flags | SHOWS_NEWBORN : flags);
    if (fresh > 1) tracked.addColumn(index, slot, NEWBORNS, fresh);
  }

  /** Its index; −1 of nothing, and past FAMILIES_BEYOND_MAX: an attacker can make up any number of them. */
  #family(part: Part, family: number): number {
    if (family < 0) return -1;
    const known = this.#families[part].get(family);
    if (known !== undefined) return known;
    if (this.#families[part].size >= FAMILIES_BEYOND_MAX) return -1;
    const index = this.#store.addInFull();
    this.#families[part].set(family, index);
    return index;
  }

  #absorb(id: number, hash: number): void {
    const { fingerprints, sets, tracked } = this.#store;
    const from = fingerprints.link(id);
    const stamp = stampOf(slotOf(fingerprints.lastSeenMs(id)));
    const near = minuteOf(fingerprints.lastSeenMs(id));
    this.requests += tracked.hourReqs(from);
    const into = fingerprints.link(OVERFLOW);
    tracked.absorb(into, from);
    sets.see(into, FINGERPRINT_SET, hash, stamp);
    const minutes = tracked.minutes(from);
    for (const part of PARTS) {
      const index = this.#family(part, familyOf(part, this.#key, 0));
      if (index < 0) continue;
      sets.see(index, FINGERPRINT_SET, hash, stamp);
      for (let i = 0; i < tracked.series.rows(minutes); i++) {
        const slot = tracked.series.timeAt(minutes, i, near) * SLOTS_A_MINUTE;
        tracked.addColumn(index, slot, REQS, tracked.series.reqsAt(minutes, i));
      }
    }
  }
}
