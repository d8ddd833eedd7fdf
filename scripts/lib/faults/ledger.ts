/**
 * What was sent and what of it is there. Every batch has fingerprints of its own, a few requests each, and the
 * fingerprints of one life of a server share their first part: so a part of a batch that is missing, or there twice, shows
 * in one list, on whichever shard it lies.
 */

import { setTimeout as sleep } from "node:timers/promises";
import {
  type Answer,
  type Client,
  encodeBody,
  ja4Of,
  observationsPath,
} from "../../../test/support/client.ts";
import type { ListAnswer } from "../../../test/support/oracle-forms.ts";

const PER_FINGERPRINT = 3;
const RETRY_MS = 2;
const COMPLETE_TRIES = 5_000;

export interface Batch {
  readonly key: string;
  readonly ja4s: readonly string[];
  readonly body: Uint8Array<ArrayBuffer>;
}

/** The glob of all fingerprints of a life. At most 10,000 lives have one. */
export function globOf(life: number): string {
  return `${headOf(life)}_*`;
}

function headOf(life: number): string {
  return `t13d${`${life}`.padStart(4, "0")}h2`;
}

/** Batch `n` of a life; `fingerprints` of its own, of those that are `wanted`. The same arguments make the same bytes. */
export function makeBatch(
  life: number,
  n: number,
  fingerprints: number,
  nowMs: number,
  wanted: (ja4: string) => boolean = () => true,
): Batch {
  const ja4s: string[] = [];
  for (let i = 0; ja4s.length < fingerprints; i++) {
    const ja4 = ja4Of(n * 1_000 + i, headOf(life));
    if (wanted(ja4)) ja4s.push(ja4);
  }
  // A little ago, so that no clock on the way finds it ahead of its time.
  const records = ja4s.flatMap((ja4) =>
    Array.from({ length: PER_FINGERPRINT }, (_, i) => ({ timestamp: nowMs - 1_000 - i, ja4 })),
  );
  return { key: `${life}-${n}`, ja4s, body: encodeBody(records, "ndjson") };
}

export function rowsOf(batch: Batch): number {
  return batch.ja4s.length * PER_FINGERPRINT;
}

/** Sends a batch with its key; `undefined` when the connection broke. */
export function send(client: Client, site: string, { key, body }: Batch): Promise<Answer | undefined> {
  const headers = { "content-type": "application/x-ndjson", "idempotency-key": key };
  return client.post(observationsPath(site), { headers, body }).catch(() => undefined);
}

/** Repeats a batch with its key until it is acknowledged; a dead server's own attempt may still be noted as running. */
export async function completed(client: Client, site: string, batch: Batch): Promise<void> {
  for (let tried = 0; tried < COMPLETE_TRIES; tried++) {
    if ((await send(client, site, batch))?.status === 202) return;
    await sleep(RETRY_MS);
  }
  throw new Error(`batch ${batch.key} was not acknowledged in ${COMPLETE_TRIES} tries`);
}

/** Requests of the last hour of every fingerprint that the glob lets through. */
export async function counted(client: Client, site: string, glob: string): Promise<Map<string, number>> {
  const found = new Map<string, number>();
  let cursor = "";
  do {
    const query = `ja4=${encodeURIComponent(glob)}&limit=1000${cursor === "" ? "" : `&cursor=${cursor}`}`;
    const answer = await client.get(`/v1/sites/${site}/fingerprints?${query}`);
    if (answer.status !== 200) throw new Error(`the list answered ${answer.status}: ${answer.text}`);
    const page = answer.json<ListAnswer>();
    for (const { ja4, reqs } of page.fingerprints) found.set(ja4, reqs);
    cursor = page.next_cursor === undefined ? "" : encodeURIComponent(page.next_cursor);
  } while (cursor !== "");
  return found;
}

/** Keys of batches. */
export interface Wrong {
  /** Something is missing. */
  readonly lost: Set<string>;
  /** Something is there more than once. */
  readonly doubled: Set<string>;
}

/** Adds to `wrong` the batches of which not everything is there once. */
export function compare(
  batches: Iterable<Batch>,
  found: ReadonlyMap<string, number>,
  wrong: Partial<Wrong>,
): void {
  for (const { key, ja4s } of batches) {
    const times = ja4s.map((ja4) => (found.get(ja4) ?? 0) - PER_FINGERPRINT);
    if (times.some((n) => n < 0)) wrong.lost?.add(key);
    if (times.some((n) => n > 0)) wrong.doubled?.add(key);
  }
}
