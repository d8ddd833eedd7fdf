/**
 * HelloTide with one path more, by which wire frames reach a shard as an edge's call would bring them. For fault runs only;
 * nothing of the product is changed.
 */
import HelloTide from "../../../src/index.ts";

export { AnomalyFeed, Census, FingerprintShard, Settings } from "../../../src/index.ts";

const SHARDS = 2;
const LENGTH_BYTES = 4;

export default class Framed extends HelloTide {
  /** `POST /__frames`: frames, each behind its length (32 bits, little endian), each in a call of its own. */
  override async fetch(request: Request): Promise<Response> {
    if (new URL(request.url).pathname !== "/__frames") return super.fetch(request);
    const body = await request.arrayBuffer();
    const view = new DataView(body);
    const calls: Promise<{ ok: boolean }>[] = [];
    for (let at = 0; at < body.byteLength; ) {
      const length = view.getUint32(at, true);
      at += LENGTH_BYTES;
      // A buffer of its own: a call would send all of a shared one.
      const frame = new Uint8Array(body.slice(at, at + length));
      at += length;
      calls.push(
        this.env.SHARDS_NS.getByName(`v1/shop/shard/1-${calls.length % SHARDS}`).ingest([frame], SHARDS),
      );
    }
    const results = await Promise.allSettled(calls);
    const thrown = results.filter(({ status }) => status === "rejected").length;
    const taken = results.filter((result) => result.status === "fulfilled" && result.value.ok).length;
    return Response.json({ thrown, taken }, { status: thrown === 0 ? 200 : 500 });
  }
}
