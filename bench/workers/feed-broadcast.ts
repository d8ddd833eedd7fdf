/**
 * The peer: an object that sends the same bytes to hibernating sockets and does nothing else: keeps nothing, filters
 * nothing, lets everybody fall behind as far as they like, and asks the platform for its sockets once. What the engine's
 * sockets themselves cost.
 */
import { DurableObject } from "cloudflare:workers";
import { cursorText } from "../../src/feed/cursor.ts";
import { driver } from "./feed-driver.ts";

export class AnomalyFeed extends DurableObject {
  #newest = 0;
  #sockets = this.ctx.getWebSockets();

  override async fetch(): Promise<Response> {
    const { 0: client, 1: server } = new WebSocketPair();
    this.ctx.acceptWebSocket(server);
    this.#sockets.push(server);
    return new Response(null, { status: 101, webSocket: client });
  }

  append(_source: string, events: { n: number; event: string }[]): number {
    const texts = events.map(
      ({ event }) => `${event.slice(0, -1)},"sequence":"${cursorText(++this.#newest)}"}`,
    );
    for (const socket of this.#sockets) for (const text of texts) socket.send(text);
    return events.at(-1)?.n ?? 0;
  }
}

export class Census extends DurableObject {}
export class FingerprintShard extends DurableObject {}
export class Settings extends DurableObject {}

export default driver;
