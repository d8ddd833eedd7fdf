/** The peer: passes every request through and does nothing else. The same classes, so that the same configuration fits. */
import { DurableObject } from "cloudflare:workers";

export class FingerprintShard extends DurableObject {}
export class Census extends DurableObject {}
export class AnomalyFeed extends DurableObject {}
export class Settings extends DurableObject {}

export default {
  fetch(request: Request, env: { ORIGIN_URL: string }): Promise<Response> {
    const { pathname, search } = new URL(request.url);
    return fetch(new Request(`${env.ORIGIN_URL}${pathname}${search}`, request));
  },
};
