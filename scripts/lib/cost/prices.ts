/**
 * Cloudflare's list prices of Durable Objects and what a bill comes to. Included amounts are left out: they belong to the account,
 * not to what one site adds to it.
 * https://developers.cloudflare.com/durable-objects/platform/pricing/ , as read on 2026-11-23
 */
import type { Bill } from "../../../bench/processes/bill.ts";

export const PRICES = {
  source: "https://developers.cloudflare.com/durable-objects/platform/pricing/",
  readOn: "2026-11-23",
  /** Dollars a request: an RPC session, or an alarm that rings. */
  request: 0.15 / 1e6,
  /** Dollars a GB-s. */
  gigabyteSecond: 12.5 / 1e6,
  rowWritten: 1 / 1e6,
  rowRead: 0.001 / 1e6,
} as const;

/** What an object is billed as while it is awake, whatever it uses. */
const OBJECT_GIGABYTES = 0.128;

/** Quotas of the Free plan, a day. Past them the objects stop answering until midnight UTC. */
export const FREE_A_DAY = {
  requests: 100_000,
  gigabyteSeconds: 13_000,
  rowsWritten: 100_000,
  rowsRead: 5_000_000,
} as const;

export type Quantities = Record<keyof typeof FREE_A_DAY, number>;

/** What of a bill has a price. An alarm is a row when it is set, and a request when it rings. */
export function quantities(bill: Bill): Quantities {
  return {
    requests: bill.edgeCalls + bill.objectCalls + bill.alarms,
    gigabyteSeconds: bill.awakeSeconds * OBJECT_GIGABYTES,
    rowsWritten: bill.rows + bill.alarms,
    rowsRead: bill.rowsRead,
  };
}

/** The same, as if there had been `observations` of them. */
export function scaled(of: Quantities, times: number): Quantities {
  return {
    requests: of.requests * times,
    gigabyteSeconds: of.gigabyteSeconds * times,
    rowsWritten: of.rowsWritten * times,
    rowsRead: of.rowsRead * times,
  };
}

/** Dollars, by what they are for. */
export function dollars({ requests, gigabyteSeconds, rowsWritten, rowsRead }: Quantities): Quantities {
  return {
    requests: requests * PRICES.request,
    gigabyteSeconds: gigabyteSeconds * PRICES.gigabyteSecond,
    rowsWritten: rowsWritten * PRICES.rowWritten,
    rowsRead: rowsRead * PRICES.rowRead,
  };
}

export function totalOf(of: Quantities): number {
  return of.requests + of.gigabyteSeconds + of.rowsWritten + of.rowsRead;
}

/**
 * A million observations as one would begin: a call a request, a row each, which is deleted when its hour is over, in `objects` that
 * are awake all the time at `perSecond` requests/s.
 */
export function naive(perSecond: number, objects: number): Quantities {
  const million = 1e6;
  return {
    requests: million,
    gigabyteSeconds: (million / perSecond) * objects * OBJECT_GIGABYTES,
    rowsWritten: 2 * million,
    rowsRead: 0,
  };
}

/** Quotas that a day would pass, by name. */
export function passed(aDay: Quantities): string[] {
  return Object.entries(FREE_A_DAY).flatMap(([name, quota]) =>
    aDay[name as keyof Quantities] > quota ? [name] : [],
  );
}
