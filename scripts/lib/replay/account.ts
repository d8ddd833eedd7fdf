/** What became of every line. The numbers must add up; where they do not, that itself is shown. */
import { printable } from "../terminal.ts";
import type { Place, Scan } from "./scan.ts";
import type { Taken } from "./send.ts";

/** Distinct reasons that are kept; a broken log has few of them. */
const REASONS_MAX = 20;

export class Account {
  accepted = 0;
  expired = 0;
  rejected = 0;
  withoutJa4 = 0;
  readonly #reasons = new Map<string, { count: number; first: Place }>();
  #unexplained = 0;

  get answered(): number {
    return this.accepted + this.expired + this.rejected;
  }

  add(taken: Taken, places: readonly Place[]): void {
    this.accepted += taken.accepted;
    this.expired += taken.expired;
    this.rejected += taken.rejected;
    this.withoutJa4 += taken.withoutJa4;
    let explained = 0;
    for (const { index, detail } of taken.errors) {
      const first = places[index];
      const reason = this.#reasons.get(detail);
      if (reason !== undefined) reason.count++;
      else if (first !== undefined && this.#reasons.size < REASONS_MAX) {
        this.#reasons.set(detail, { count: 1, first });
      } else continue;
      explained++;
    }
    // The server gives a reason for the first 100 of a request.
    this.#unexplained += Math.max(taken.rejected - explained, 0);
  }

  /** The reasons for what was rejected, most frequent first. */
  reasons(): string[] {
    const lines = [...this.#reasons]
      .sort(([, a], [, b]) => b.count - a.count)
      .map(([detail, { count, first }]) => {
        return `${count} rejected: ${printable(detail)} (first: ${printable(first.file)}:${first.line})`;
      });
    if (this.#unexplained > 0) lines.push(`${this.#unexplained} rejected without a reason of their own`);
    return lines;
  }

  isComplete(records: number): boolean {
    return this.accepted === records;
  }

  /** Two sums: lines of the files, and records of those lines. */
  totals(scan: Scan, repeat: number): string[] {
    const expected = scan.records * repeat;
    const times = repeat === 1 ? "" : `, each ${repeat} times`;
    const lines = [
      `${scan.lines} lines = ${scan.records} records${times} + ${scan.unreadable} unreadable`,
      ...(scan.blank > 0 ? [`+ ${scan.blank} blank`] : []),
      ...(scan.skipped > 0 ? [`+ ${scan.skipped} skipped (Worker subrequests, validation uploads)`] : []),
    ].join(" ");
    const records = `${expected} records = ${this.accepted} accepted + ${this.expired} expired + ${this.rejected} rejected + ${expected - this.answered} not sent`;
    const without = `${this.withoutJa4} of the accepted are without a JA4`;
    return [lines, records, ...(this.withoutJa4 > 0 ? [without] : [])];
  }
}
