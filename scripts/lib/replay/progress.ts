/** How far the replay is: a bar on a terminal, a line now and then elsewhere. */
import { lengthText, printable } from "../terminal.ts";

const BAR_CELLS = 24;
const REDRAW_MS = 100;
const PLAIN_EVERY_MS = 5_000;
const CLEAR = "\r\x1b[2K";

/** `[████████░░░░] 52%  5200 of 10000 records  12000/s  1s left`. */
export function progressText(done: number, total: number, elapsedMs: number, bar: boolean): string {
  const share = total === 0 ? 1 : Math.min(done / total, 1);
  const full = Math.floor(share * BAR_CELLS);
  const drawn = bar ? `[${"█".repeat(full)}${"░".repeat(BAR_CELLS - full)}] ` : "";
  const rate = elapsedMs > 0 ? Math.round((done / elapsedMs) * 1_000) : 0;
  const left = done > 0 && done < total ? `  ${lengthText((elapsedMs / done) * (total - done))} left` : "";
  const percent = `${Math.floor(share * 100)}%`.padStart(4);
  return `${drawn}${percent}  ${done} of ${total} records  ${rate}/s${left}`;
}

export interface ProgressStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

export class Progress {
  readonly #stream: ProgressStream;
  readonly #nowMs: () => number;
  readonly #total: number;
  readonly #fromMs: number;
  #saidMs: number;
  #done = 0;
  #hint = "";

  constructor(stream: ProgressStream, total: number, nowMs: () => number) {
    this.#stream = stream;
    this.#nowMs = nowMs;
    this.#total = total;
    this.#fromMs = nowMs();
    this.#saidMs = stream.isTTY === true ? 0 : this.#fromMs;
  }

  update(done: number): void {
    this.#done = done;
    this.#hint = "";
    this.#say(false);
  }

  /** Why nothing moves. */
  waiting(why: string, ms: number): void {
    this.#hint = `${printable(why)}; next try in ${lengthText(ms)}`;
    if (this.#stream.isTTY === true) this.#say(true);
    else this.#stream.write(`${this.#hint}\n`);
  }

  end(): void {
    if (this.#stream.isTTY === true) this.#stream.write(CLEAR);
  }

  #say(force: boolean): void {
    const now = this.#nowMs();
    const tty = this.#stream.isTTY === true;
    if (!force && now - this.#saidMs < (tty ? REDRAW_MS : PLAIN_EVERY_MS)) return;
    this.#saidMs = now;
    const text = progressText(this.#done, this.#total, now - this.#fromMs, tty);
    if (!tty) {
      this.#stream.write(`${text.trimStart()}\n`);
      return;
    }
    const line = this.#hint === "" ? text : `${text}  ${this.#hint}`;
    // A line that wraps could not be drawn over.
    this.#stream.write(`${CLEAR}${line.slice(0, Math.max((this.#stream.columns || 80) - 1, 20))}`);
  }
}
