/**
 * For Workers of one's own: `export default observe(handler)` puts the observer around a handler. Observations go to
 * HelloTide by a service binding (`HELLOTIDE` in wrangler.toml), one call a request, behind the response.
 */
import { facts, type ObservationRecord } from "./edge/facts.ts";

/** The service binding's slice. */
export interface HelloTideBinding {
  observe(record: ObservationRecord, options?: { site?: string }): Promise<void>;
}

export interface ObserveOptions {
  /** Site to count under; absent = by host, as configured there. */
  site?: string;
  /** Name of the service binding; default `HELLOTIDE`. */
  binding?: string;
}

interface Handler<Env> {
  fetch?(
    request: Request,
    env: Env,
    ctx: { waitUntil(promise: Promise<unknown>): void },
  ): Response | Promise<Response>;
}

/** The handler, observed. Its answers, and its errors, are its own: nothing of the observer reaches the visitor. */
export function observe<Env, H extends Handler<Env>>(handler: H, options: ObserveOptions = {}): H {
  const inner = handler.fetch?.bind(handler);
  if (inner === undefined) throw new TypeError("observe() needs a handler with fetch");
  const observed: Handler<Env>["fetch"] = async (request, env, ctx) => {
    const nowMs = Date.now();
    const response = await inner(request, env, ctx);
    ctx.waitUntil(report(request, response, nowMs, env, options));
    return response;
  };
  return { ...handler, fetch: observed };
}

/** Never rejects: an observation that cannot be handed over is given up. */
async function report<Env>(
  request: Request,
  response: Response,
  nowMs: number,
  env: Env,
  { site, binding = "HELLOTIDE" }: ObserveOptions,
): Promise<void> {
  try {
    const service = (env as Record<string, HelloTideBinding | undefined>)[binding];
    if (service === undefined) return;
    await service.observe(facts(request, response, { nowMs }), site === undefined ? {} : { site });
  } catch {
    // The visitor has the answer; there is nobody left to tell.
  }
}
