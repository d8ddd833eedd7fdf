/** Emptied builders, kept for the next rows: their columns have grown already. Plain data, as everything an isolate keeps. */
import { FrameBuilder } from "../wire/frame-builder.ts";

const SPARES_MAX = 8;

export class Spares {
  readonly #spares: FrameBuilder[] = [];

  /** An empty builder. */
  take(): FrameBuilder {
    return this.#spares.pop() ?? new FrameBuilder();
  }

  /** Takes a builder whose rows are elsewhere now. */
  giveBack(builder: FrameBuilder): void {
    if (this.#spares.length === SPARES_MAX) return;
    builder.reset();
    this.#spares.push(builder);
  }
}
