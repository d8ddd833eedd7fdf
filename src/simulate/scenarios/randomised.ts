/**
 * A client that adds and drops TLS extensions at random, so that each request has a fingerprint of its own. `family_swarm`
 * sees them together once a site has two hours of data, which the show does not wait for, so nothing is expected; what
 * must not happen is a thousand newcomers.
 */
import { type Client, clientOf } from "../clients.ts";
import { address, RENTED } from "../networks.ts";
import { page } from "../pages.ts";
import { type Label, perSecond, type Scenario } from "../scenario.ts";
import { observe } from "../visit.ts";

const DURATION_MS = 60_000;
const REQS_PER_SECOND = 4;
/** Chrome's ciphers with three extensions fewer than Chrome; the last part is random. */
const FAMILY = "t13d1513h2_8daaf6152771_";
const AGENT =
  "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36";

export const randomised: Scenario = {
  name: "randomised",
  durationMs: DURATION_MS,
  play(stage) {
    const label: Label = {
      scene: "randomised",
      title: "Randomised ClientHello",
      sentence: `a client shuffles its TLS extensions: ${REQS_PER_SECOND} new fingerprints a second, each seen once`,
      ja4: [`${FAMILY}*`],
      startMs: stage.startMs,
      endMs: stage.startMs + DURATION_MS,
      expects: [],
      also: ["family_swarm"],
      note: "family_swarm sees this once the site has two hours of data",
    };
    // Nobody in the world has seen any of them: no signals.
    const actor: Client = { ...clientOf(0, FAMILY, "chromium", { reqsPerMinute: 0 }), signals: undefined };
    return perSecond(stage, label, {
      rate: () => REQS_PER_SECOND,
      request(timestamp, draw) {
        const client = { ...actor, ja4: FAMILY + draw.hex(12) };
        const asn = draw.pick(RENTED);
        return observe(
          client,
          page(draw),
          { timestamp, asn, ip: address(asn, draw), agent: AGENT, known: true, modern: true },
          draw,
        );
      },
    });
  },
};
