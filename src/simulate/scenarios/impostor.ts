/** A library that imitates Chrome's TLS handshake and nothing else: HTTP/1.1, a script's agent, prices only. */
import { address, RENTED } from "../networks.ts";
import { priceOf } from "../pages.ts";
import { type Label, perSecond, rareChromium, type Scenario } from "../scenario.ts";
import { observe } from "../visit.ts";

const DURATION_MS = 60_000;
/** Over an hour's ratios a comparison needs some 200 requests; at this rate they are there in 25 s. */
const REQS_PER_SECOND = 8;
const AGENTS = ["python-requests/2.32.3", "Python-urllib/3.12"];

export const impostor: Scenario = {
  name: "impostor",
  durationMs: DURATION_MS,
  play(stage) {
    const client = rareChromium(stage);
    const label: Label = {
      scene: "impostor",
      title: "Impostor",
      sentence:
        "Chrome's TLS fingerprint, but HTTP/1.1 and a script's agent: worldwide it is a browser, here it is not",
      ja4: [client.ja4],
      startMs: stage.startMs,
      endMs: stage.startMs + DURATION_MS,
      expects: ["divergence"],
      also: [
        "impostor",
        "surge",
        "slow_surge",
        "bot_shift",
        "cache_bust",
        "ip_spread",
        "path_scan",
        "rank_shift",
        "rare_here_hot",
        "ua_rotation",
      ],
    };
    return perSecond(stage, label, {
      rate: () => REQS_PER_SECOND,
      request(timestamp, draw) {
        const asn = draw.pick(RENTED);
        const agent = draw.pick(AGENTS);
        const hit = priceOf(draw);
        return observe(
          client,
          hit,
          { timestamp, asn, ip: address(asn, draw), agent, known: true, modern: false },
          draw,
        );
      },
    });
  },
};
