/** Somebody else's Worker beside HelloTide: reports by hand and by the wrapper, and asks for signals. */

import type { ObservationRecord } from "../../../src/edge/facts.ts";
import { facts, observe } from "../../../src/index.ts";

interface Env {
  HELLOTIDE: {
    observe(record: ObservationRecord, options?: unknown): Promise<void>;
    signals(ja4: unknown, options?: unknown): Promise<object | undefined>;
  };
}

const wrapped = observe<Env, { fetch(request: Request, env: Env, ctx: ExecutionContext): Promise<Response> }>(
  {
    async fetch(request) {
      if (new URL(request.url).pathname.endsWith("/fails")) throw new TypeError("the handler's own error");
      return new Response(request.body, { status: 418, headers: { "x-own": "kept" } });
    },
  },
  { site: "wrapped" },
);

export default {
  async fetch(request: Request, env: Env, ctx: ExecutionContext): Promise<Response> {
    const { pathname } = new URL(request.url);
    if (pathname.startsWith("/wrapped")) {
      try {
        return await wrapped.fetch(request, env, ctx);
      } catch (error) {
        return new Response(String(error), { status: 500 });
      }
    }
    if (pathname === "/call") {
      // Whatever the test wants to be called with.
      const { method, args } = await request.json<{ method: "observe" | "signals"; args: [never] }>();
      const startMs = Date.now();
      const value = await env.HELLOTIDE[method](...args);
      return Response.json({ value, ms: Date.now() - startMs });
    }
    const response = new Response("mine", { status: 404 });
    ctx.waitUntil(env.HELLOTIDE.observe(facts(request, response)));
    return response;
  },
};
