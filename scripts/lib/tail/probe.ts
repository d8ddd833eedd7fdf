/** Why the server did not open a WebSocket: clients of WebSockets are not told the status, so it is asked for by hand. */
import { randomBytes } from "node:crypto";
import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import { errorText } from "../failure.ts";
import { detailOf } from "../http.ts";

const TIMEOUT_MS = 10_000;
const DETAIL_MAX_CHARS = 16 * 1024;

/** Status 101 = this time it would have opened. */
export type Probe = { readonly status: number; readonly detail: string } | { readonly error: string };

export function probe(url: URL, token: string): Promise<Probe> {
  const send = url.protocol === "https:" ? httpsRequest : httpRequest;
  return new Promise((resolve) => {
    const outgoing = send(url, {
      agent: false,
      headers: {
        authorization: `Bearer ${token}`,
        connection: "Upgrade",
        upgrade: "websocket",
        "sec-websocket-version": "13",
        "sec-websocket-key": randomBytes(16).toString("base64"),
      },
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    outgoing.on("upgrade", (_, socket) => {
      socket.destroy();
      resolve({ status: 101, detail: "" });
    });
    outgoing.on("response", (incoming) => {
      let text = "";
      incoming.setEncoding("utf8").on("data", (chunk: string) => {
        text = (text + chunk).slice(0, DETAIL_MAX_CHARS);
      });
      incoming.on("error", () => {});
      incoming.on("close", () => resolve({ status: incoming.statusCode ?? 0, detail: detailIn(text) }));
    });
    outgoing.on("error", (error) => resolve({ error: errorText(error) }));
    outgoing.end();
  });
}

function detailIn(text: string): string {
  try {
    return detailOf(JSON.parse(text));
  } catch {
    return "no detail";
  }
}
