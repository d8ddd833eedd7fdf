/**
 * The peer: an object that sends the same bytes to hibernating sockets and does nothing else: keeps nothing, filters
 * nothing, and lets everybody fall behind as far as they like. What the engine's sockets themselves cost.
 */
import { DurableObject } from "cloudflare:workers";
import { cursorText } from "../../src/feed/cursor.ts";
import { driver } from "./feed-driver.ts";

export class AnomalyFeed extends DurableObject {
  #newest = 0;

  override async fetch(): Promise<Response> {
    const { 0: client, 1: server } = new WebSocketPair();
    this.ctx.acceptWebSocket(server);
    return new Response(null, { status: 101, webSocket: client });
  }

  append(_source: string, events: { n: number; event: string }[]): number {
    const texts = events.map(
      ({ event }) => `${event.slice(0, -1)},"sequence":"${cursorText(++this.#newest)}"}`,
    );
    for (const socket of this.ctx.getWebSockets()) for (const text of texts) socket.send(text);
    return events.at(-1)?.n ?? 0;
  }
}

export class Census extends DurableObject {}
export class FingerprintShard extends DurableObject {}
export class Settings extends DurableObject {}

export default driver;
