/** One TLS client that draws a user agent from a list for every request, to look like many people. */
import { chromeAgent } from "../agents.ts";
import { address, RENTED } from "../networks.ts";
import { page } from "../pages.ts";
import type { Draw } from "../random.ts";
import { type Label, perSecond, type Scenario, scriptFor } from "../scenario.ts";
import { observe } from "../visit.ts";

const DURATION_MS = 60_000;
const REQS_PER_SECOND = 2.5;
const PHONES = [
  "SM-S928B",
  "SM-A546E",
  "Pixel 8",
  "Pixel 7a",
  "2312DRA50G",
  "CPH2581",
  "XT2347-2",
  "M2101K6G",
];
const DESKTOPS = ["Windows NT 10.0; Win64; x64", "X11; Linux x86_64", "Macintosh; Intel Mac OS X 10_15_7"];

/** Lists on sale hold thousands of real agents; versions and phones make about as many. */
function listed(draw: Draw): string {
  const version = 90 + draw.int(52);
  if (draw.chance(0.3)) return chromeAgent(version, draw.pick(DESKTOPS));
  return chromeAgent(version, `Linux; Android ${8 + draw.int(8)}; ${draw.pick(PHONES)}`, true);
}

export const uaRotation: Scenario = {
  name: "ua-rotation",
  durationMs: DURATION_MS,
  play(stage) {
    const client = scriptFor("ua-rotation", stage);
    const label: Label = {
      scene: "ua-rotation",
      title: "User-agent rotation",
      sentence:
        "a scraper shows another browser's user agent with each request, over one and the same TLS stack",
      ja4: [client.ja4],
      startMs: stage.startMs,
      endMs: stage.startMs + DURATION_MS,
      expects: ["ua_rotation"],
      also: [
        "surge",
        "slow_surge",
        "divergence",
        "bot_shift",
        "ip_spread",
        "cache_bust",
        "rank_shift",
        "rare_here_hot",
      ],
    };
    return perSecond(stage, label, {
      rate: () => REQS_PER_SECOND,
      request(timestamp, draw) {
        const asn = draw.pick(RENTED);
        const modern = draw.chance(client.h2h3);
        const agent = listed(draw);
        return observe(
          client,
          page(draw),
          { timestamp, asn, ip: address(asn, draw), agent, known: true, modern },
          draw,
        );
      },
    });
  },
};
