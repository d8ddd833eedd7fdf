/** An application-layer flood: one known client, ×50 to ×1,000 of its usual rate within ten seconds. */
import { address, RENTED } from "../networks.ts";
import { front } from "../pages.ts";
import { type Label, perSecond, type Scenario, scriptFor } from "../scenario.ts";
import { observe } from "../visit.ts";

const DURATION_MS = 40_000;
const RAMP_SECONDS = 10;
const REQS_PER_SECOND = 60;

export const flood: Scenario = {
  name: "flood",
  durationMs: DURATION_MS,
  play(stage) {
    const client = scriptFor("flood", stage);
    const times = Math.round((REQS_PER_SECOND * 60) / client.reqsPerMinute);
    const label: Label = {
      scene: "flood",
      title: "L7 flood",
      sentence: `a known script asks for the home page ${REQS_PER_SECOND} times a second, ×${times} of its usual rate`,
      ja4: [client.ja4],
      startMs: stage.startMs,
      endMs: stage.startMs + DURATION_MS,
      expects: ["surge"],
      also: ["slow_surge", "ip_spread", "cache_bust", "divergence", "rank_shift", "rare_here_hot"],
    };
    return perSecond(stage, label, {
      rate: (second) => REQS_PER_SECOND * Math.min((second + 1) / RAMP_SECONDS, 1),
      request(timestamp, draw) {
        const asn = draw.pick(RENTED);
        const agent = draw.weighted(client.agents);
        const modern = draw.chance(client.h2h3);
        const hit = front("/", draw.chance(0.9) ? 200 : 503);
        return observe(
          client,
          hit,
          { timestamp, asn, ip: address(asn, draw), agent, known: true, modern },
          draw,
        );
      },
    });
  },
};
