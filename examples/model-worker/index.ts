/**
 * A Worker in front of a site that asks HelloTide for the numbers of a visitor's fingerprint, scores them with a model of its own,
 * and tells the origin in a header. It blocks nobody: what to do with the score is the origin's, or a rule's.
 */
import model from "./model.json" with { type: "json" };
import { type FeatureRow, predict } from "./model.ts";

/** HelloTide by service binding (wrangler.toml). */
interface Env {
  HELLOTIDE: {
    signals(ja4: string, options?: { site?: string; max_age_ms?: number }): Promise<FeatureRow | undefined>;
  };
  SITE: string;
}

export const RISK_HEADER = "x-ja4-risk";

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const ja4 = ja4Of(request);
    // Waits 50 ms at most and never throws: without numbers the visitor goes on without a score.
    const row = ja4 === undefined ? undefined : await env.HELLOTIDE.signals(ja4, { site: env.SITE });
    const headers = new Headers(request.headers);
    // A visitor must not be able to bring a score of their own.
    headers.delete(RISK_HEADER);
    if (row !== undefined) headers.set(RISK_HEADER, predict(model, row).toFixed(3));
    return fetch(new Request(request, { headers }));
  },
};

function ja4Of(request: Request): string | undefined {
  const management = request.cf?.botManagement as { ja4?: unknown } | undefined;
  return typeof management?.ja4 === "string" && management.ja4 !== "" ? management.ja4 : undefined;
}
