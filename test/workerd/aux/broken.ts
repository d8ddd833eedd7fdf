/** HelloTide with objects that all fail in the way that `BROKEN` says: `throws`, `hangs` or `never_starts`. */
import { DurableObject } from "cloudflare:workers";

export { default } from "../../../src/index.ts";

class Broken extends DurableObject<{ BROKEN: string }> {
  constructor(ctx: DurableObjectState, env: { BROKEN: string }) {
    super(ctx, env);
    if (env.BROKEN === "never_starts") throw new Error("cannot start");
  }

  #fail(): Promise<never> {
    if (this.env.BROKEN === "throws") throw new Error("cannot do it");
    return new Promise(() => {});
  }

  ingest() {
    return this.#fail();
  }
  read() {
    return this.#fail();
  }
  summary() {
    return this.#fail();
  }
}

export class FingerprintShard extends Broken {}
export class Census extends Broken {}
export class AnomalyFeed extends Broken {}
/** With `MAP=works` the observer comes as far as the shards. */
export class Settings extends DurableObject<{ BROKEN: string; MAP?: string }> {
  async map() {
    if (this.env.MAP === "works") return { epoch: 1, shards: 1 };
    if (this.env.BROKEN === "hangs") await new Promise(() => {});
    throw new Error("cannot do it");
  }
  hashKey() {
    return this.map();
  }
}
