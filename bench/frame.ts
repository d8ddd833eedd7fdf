/**
 * What a frame costs to make, to read and to send, against other encodings of the same rows and against copying them.
 * "v1" is the older form as this code writes and reads it, not the code that it replaced.
 */
import type { Benchmark, Figure } from "../scripts/lib/bench/benchmark.ts";
import { runScript } from "../scripts/lib/bench/processes.ts";
import type { FrameInput, FrameRun } from "./processes/frame.ts";

const SIZES = [50, 500, 2_000] as const;
const ENCODINGS: readonly FrameInput["encoding"][] = ["v2", "v1", "json", "maps", "memcpy"];

const LABELS = {
  decode_ns: ["reading a frame", "ns a row"],
  encode_ns: ["making a frame, row by row", "ns a row"],
  bytes: ["on the wire", "bytes a row"],
} as const;

/** Copying says nothing of making a frame, and has no length of its own. */
const PEERS: Record<keyof typeof LABELS, readonly FrameInput["encoding"][]> = {
  decode_ns: ["v1", "json", "maps", "memcpy"],
  encode_ns: ["v1", "json", "maps"],
  bytes: ["v1", "json", "maps"],
};

function figures(): Figure[] {
  return (Object.keys(LABELS) as (keyof typeof LABELS)[]).flatMap((metric) =>
    SIZES.flatMap((size) =>
      PEERS[metric].map((against): Figure => {
        const [label, unit] = LABELS[metric];
        return { label: `${label}, ${size} rows`, metric: `${metric}_${size}`, unit, variant: "v2", against };
      }),
    ),
  );
}

export const frame: Benchmark = {
  name: "frame",
  about: "cost of the wire format, against JSON, msgpack maps and a plain copy",
  open: async ({ quick }) => ({
    series: [
      {
        name: "rows of a shop, in Node",
        rounds: 7,
        variants: ENCODINGS.map((encoding) => ({
          name: encoding,
          run: async () => {
            const input: FrameInput = { encoding, rows: quick ? 30_000 : 1_500_000 };
            return { ...(await runScript<FrameRun>("bench/processes/frame.ts", input)) };
          },
        })),
        figures: figures(),
      },
    ],
    close: async () => undefined,
  }),
};
