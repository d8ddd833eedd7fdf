/** What the runner and the driver inside the engine say to each other; plain JSON over HTTP on loopback. */

/** Body of POST /frames: u32 LE length of this as JSON, the JSON, the frames one after the other. */
export interface FramesHead {
  readonly rows: number;
  /** Bytes of each frame, and where in it the id and the base time lie. */
  readonly frames: readonly { readonly bytes: number; readonly idAt: number; readonly baseAt: number }[];
  /** How the base time is written: as msgpack writes a float64, or as a column would be. */
  readonly littleEndian: boolean;
  /** The rows of a frame lie in this many ms after its base time. */
  readonly spreadMs: number;
}

/** POST /run. */
export interface RunInput {
  readonly callers: number;
  /** Sends this many frames, their base times even over the last `backMs` … */
  readonly backfill?: { readonly frames: number; readonly backMs: number };
  /** … or as many as go into this time, as they would come in now. */
  readonly forMs?: number;
}

export interface RunResult {
  /** Frames sent since the start of the engine. */
  readonly sent: number;
  /** Observations that this run's calls were answered for. */
  readonly accepted: number;
  readonly duplicate: number;
}
