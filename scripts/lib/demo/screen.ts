/** Where the demo prints: entries in order of time, and while the past is sent a bar in the last line of a terminal. */
import { printable } from "../terminal.ts";
import { type Paint, painter, progressBar } from "./text.ts";

export interface ScreenStream {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

const CLEAR_LINE = "\r\x1b[2K";
const REDRAW_MS = 80;

export class Screen {
  readonly paint: Paint;
  readonly #stream: ScreenStream;
  readonly #nowMs: () => number;
  #bar = "";
  #drawnMs = 0;

  constructor(stream: ScreenStream, color: boolean, nowMs: () => number) {
    this.#stream = stream;
    this.#nowMs = nowMs;
    this.paint = painter(color);
  }

  print(text: string): void {
    if (text === "") return;
    // The bar stays below what is printed while it grows.
    this.#stream.write(this.#bar === "" ? text : `${CLEAR_LINE}${text}${this.#bar}`);
  }

  /** A remark of our own, not of the feed. */
  note(text: string): void {
    this.print(`${this.paint("dim", `          · ${printable(text)}`)}\n`);
  }

  /** Without a terminal there is no line to draw over: nothing until the end. */
  progress(share: number, note: string): void {
    const nowMs = this.#nowMs();
    if (this.#stream.isTTY !== true || nowMs - this.#drawnMs < REDRAW_MS) return;
    this.#drawnMs = nowMs;
    this.#bar = progressBar(share, note, this.paint);
    this.#stream.write(`${CLEAR_LINE}${this.#bar}`);
  }

  progressEnd(text: string): void {
    this.stopProgress();
    this.print(text);
  }

  /** Leaves no half-drawn line behind. */
  stopProgress(): void {
    if (this.#bar !== "") this.#stream.write(CLEAR_LINE);
    this.#bar = "";
  }
}
