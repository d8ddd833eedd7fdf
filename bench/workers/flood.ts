/** The product's own objects; one frame a request to the site's only shard, and its answers as JSON. */

import type { FingerprintShard } from "../../src/index.ts";
import type { ListQuery } from "../../src/reading/list.ts";

export { AnomalyFeed, Census, FingerprintShard, Settings } from "../../src/index.ts";

interface FloodEnv {
  readonly SHARDS_NS: DurableObjectNamespace<FingerprintShard>;
}

export default {
  async fetch(request: Request, env: FloodEnv): Promise<Response> {
    const shard = env.SHARDS_NS.getByName("v1/shop/shard/1-0");
    switch (new URL(request.url).pathname) {
      case "/ingest":
        return Response.json(await shard.ingest([new Uint8Array(await request.arrayBuffer())], 1));
      case "/summary":
        return Response.json(await shard.summary());
      case "/list":
        return Response.json(await shard.list((await request.json()) as ListQuery));
      default:
        return new Response(null, { status: 404 });
    }
  },
};
