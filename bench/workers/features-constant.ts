/**
 * The peer of the features benchmark: the product's own Worker and objects, but a shard that makes each page of an export
 * once and then hands out the same bytes again. What merge, calls and stream cost by themselves.
 */
import { FingerprintShard as RealShard } from "../../src/index.ts";

type Query = Parameters<RealShard["features"]>[0];
type Page = Awaited<ReturnType<RealShard["features"]>>;

export class FingerprintShard extends RealShard {
  readonly #pages = new Map<string, Page>();

  override async features(query: Query): Promise<Page> {
    const name = JSON.stringify(query);
    const held = this.#pages.get(name) ?? (await super.features(query));
    this.#pages.set(name, held);
    return held;
  }
}

export { AnomalyFeed, Census, default, Settings } from "../../src/index.ts";
