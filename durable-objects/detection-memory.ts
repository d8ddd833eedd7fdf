/** What a shard's detection has learned, read at its start and kept on disk now and then. */
import { ImageError, readImage, writeImage } from "../src/base/image.ts";
import { errorClass, logWarning } from "../src/base/log.ts";
import { MINUTE_MS } from "../src/config.ts";
import { Memory } from "../src/detect/memory.ts";
import type { PartTable } from "./sql/part-table.ts";

/** What was learned since is lost with the isolate, and learned again. */
const KEEP_MS = 5 * MINUTE_MS;

export class DetectionMemory {
  readonly memory: Memory;
  readonly #table: PartTable;
  #keptMs = 0;

  constructor(table: PartTable, site: string) {
    this.#table = table;
    this.memory = read(table, site);
  }

  /** To be called with every tick. `nowMs`: event time. */
  keep(nowMs: number): void {
    if (nowMs - this.#keptMs < KEEP_MS) return;
    this.#table.write((sink) => writeImage((writer) => this.memory.write(writer), sink));
    this.#keptMs = nowMs;
  }
}

function read(table: PartTable, site: string): Memory {
  const parts = table.read();
  if (parts === undefined) return new Memory();
  try {
    return readImage(parts, (reader) => Memory.read(reader));
  } catch (error) {
    if (!(error instanceof ImageError)) throw error;
    // Of other code, or torn: it learns again.
    logWarning({ event: "detection_unreadable", site, error: errorClass(error) });
    return new Memory();
  }
}
