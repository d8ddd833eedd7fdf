/** One try of one message at one webhook: signed, bounded in time, redirects not followed. */
import { SECOND_MS } from "../config.ts";
import { bodyOf, type ToldEvent } from "./format.ts";
import { type FeedWebhook, messageId, secretsAt } from "./route.ts";
import { parseRetryAfter } from "./schedule.ts";
import { signedHeaders } from "./signature.ts";

export const SEND_TIMEOUT_MS = 15 * SECOND_MS;

/** What came of a try. */
export interface Sent {
  /** Of the answer; absent = there was none. */
  status?: number;
  /** What the receiver asked for, ms. */
  retryAfterMs?: number;
  /** For people, without anything that the receiver said. */
  detail: string;
}

export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/** Sends; never throws. Of the answer only status and `Retry-After` are read: its body is let go of unread. */
export async function send(
  webhook: FeedWebhook,
  event: ToldEvent,
  nowMs: number,
  fetcher: Fetch,
  timeoutMs = SEND_TIMEOUT_MS,
): Promise<Sent> {
  try {
    const body = bodyOf(webhook.format, event, webhook.routingKey);
    const message = {
      id: messageId(event.id, webhook.id),
      timestampS: Math.floor(nowMs / SECOND_MS),
      body: body.text,
    };
    const headers = await signedHeaders(message, secretsAt(webhook, nowMs));
    const response = await fetcher(webhook.url, {
      method: "POST",
      headers: { ...headers, "content-type": body.contentType, "user-agent": "HelloTide" },
      body: body.text,
      redirect: "manual",
      signal: AbortSignal.timeout(timeoutMs),
    });
    await response.body?.cancel().catch(() => {});
    const retryAfterMs = parseRetryAfter(response.headers.get("retry-after"), nowMs);
    return {
      status: response.status,
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
      detail: detailOf(response.status),
    };
  } catch (error) {
    const isLate = error instanceof Error && error.name === "TimeoutError";
    return {
      detail: isLate ? `No answer within ${timeoutMs / SECOND_MS} s.` : "The receiver could not be reached.",
    };
  }
}

function detailOf(status: number): string {
  if (status >= 300 && status < 400) return `Answered ${status}: redirects are not followed.`;
  return `Answered ${status}.`;
}
