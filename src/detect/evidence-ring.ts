/** The newest samples of a shard, over all fingerprints: bounded, so a flood costs evidence of others at worst. */
import { EVIDENCE_RING } from "../config.ts";
import type { Frame, FrameSample } from "../wire/frame.ts";
import type { Sample } from "./types.ts";

export class EvidenceRing {
  readonly #ring: Sample[] = [];
  #next = 0;

  add(frame: Frame): void {
    for (const sample of frame.samples) {
      this.#ring[this.#next] = heldSample(frame, sample);
      this.#next = (this.#next + 1) % EVIDENCE_RING;
    }
  }

  /** Samples of one fingerprint since a time, in no order. */
  *of(ja4: string, sinceMs: number): Generator<Sample> {
    for (const sample of this.#ring) if (sample.ja4 === ja4 && sample.atMs > sinceMs) yield sample;
  }
}

function heldSample(
  frame: Frame,
  { fp, at, weight, status, asn, path, host, method, ray }: FrameSample,
): Sample {
  return {
    ja4: frame.fps[fp]!,
    atMs: frame.baseMs + at,
    weight,
    ...(status === 0 ? {} : { status }),
    ...(asn < 0 ? {} : { asn }),
    ...(path === "" ? {} : { path }),
    ...(host === "" ? {} : { host }),
    ...(method === "" ? {} : { method }),
    ...(ray === "" ? {} : { rayId: ray }),
  };
}
