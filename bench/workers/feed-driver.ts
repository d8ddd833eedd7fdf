/** The feed benchmark's Worker: opens sockets and appends events as the router and the shards do, without either. Not an entry. */
import { SUBSCRIPTION_HEADER, type Subscription } from "../../src/api/objects.ts";
import { feedEvent } from "../../src/wire/event.ts";
import type { AppendInput } from "../lib/feed-protocol.ts";

/** What both variants' object answers. */
interface Feed {
  fetch(request: Request): Promise<Response>;
  append(source: string, events: { n: number; event: string }[]): Promise<number>;
}

interface DriverEnv {
  readonly FEED_NS: DurableObjectNamespace;
}

const SUBSCRIPTION = JSON.stringify({ filter: {}, protocol: "cloudevents.json" } satisfies Subscription);
const JA4 = "t13d1516h2_8daaf6152771_02713d6af862";

export const driver = {
  async fetch(request: Request, env: DriverEnv): Promise<Response> {
    const feed = env.FEED_NS.getByName("v1/shop/feed") as unknown as Feed;
    switch (new URL(request.url).pathname) {
      case "/feed":
        return await feed.fetch(
          new Request(request.url, {
            headers: { upgrade: "websocket", [SUBSCRIPTION_HEADER]: SUBSCRIPTION },
          }),
        );
      case "/append": {
        const { source, from, count } = (await request.json()) as AppendInput;
        const events = Array.from({ length: count }, (_, i) => outboxEvent(source, from + i));
        return Response.json({ high: await feed.append(source, events) });
      }
      default:
        return new Response(null, { status: 404 });
    }
  },
};

/** An episode that goes on, with everything that an event tells: no storm groups it. */
function outboxEvent(source: string, n: number): { n: number; event: string } {
  const type = "hellotide.anomaly.updated";
  const id = `01JBENCH${source.replace("-", "")}${`${n}`.padStart(16, "0")}`;
  const event = feedEvent("shop", type, JA4, id, "2026-11-24T12:00:00.000Z", {
    ...{ anomaly_id: `01JBENCHEPISODE${n % 100}`, kind: "surge", ja4: JA4, severity: "warning" as const },
    ...{ score: 7.4, p: 4e-8, window: "1m", observed: 340, expected: 12, low: 5, high: 21 },
    ...{ unit: "requests/min", started_at: "2026-11-24T11:59:30.000Z", silenced: false, grouped: false },
    because: [{ signal: "reqs", local: 340, expected: 12, p: 4e-8 }],
    evidence: {
      paths: [["/login", 0.91]],
      hosts: [["www.shop.example", 1]],
      asns: [[64_500, 0.4]],
      statuses: [[401, 0.9]],
      methods: [["POST", 0.9]],
      ray_ids: ["8f0000000000a1b2", "8f0000000000a1b3"],
    },
    summary: "340 requests in a minute where 12 are usual, mostly POST /login from AS64500",
  });
  return { n, event: JSON.stringify(event) };
}
