/** A shard's answer to frames. */
import type { FrameFault } from "./frame.ts";

export type IngestResult =
  | { ok: true; accepted: number; duplicate: number }
  /** Permanent: the same bytes will be refused again. What is thrown instead is worth another try. */
  | { ok: false; fault: FrameFault };
