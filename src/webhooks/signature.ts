/**
 * Signatures of webhooks: Standard Webhooks 1.0.0, symmetric form
 * (https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md).
 */
import type { Random } from "../base/random.ts";

const SECRET_PREFIX = "whsec_";
/** The specification asks for 24 to 64 bytes. */
const SECRET_BYTES = 32;

export interface Message {
  /** The same for every try, so that a receiver can tell a repeat. */
  id: string;
  /** Seconds since the epoch of this very try. */
  timestampS: number;
  body: string;
}

/** A secret in its serialised form, `whsec_` + base64. */
export function makeSecret(random: Random): string {
  const bytes = random(new Uint8Array(SECRET_BYTES));
  return SECRET_PREFIX + btoa(String.fromCharCode(...bytes));
}

/** The three headers. With several secrets, while one takes over from the other, each signs. */
export async function signedHeaders(
  message: Message,
  secrets: readonly string[],
): Promise<Record<string, string>> {
  const signatures = await Promise.all(secrets.map((secret) => sign(message, secret)));
  return {
    "webhook-id": message.id,
    "webhook-timestamp": String(message.timestampS),
    "webhook-signature": signatures.join(" "),
  };
}

/** `v1,` + base64 of HMAC-SHA-256 over `id.timestamp.body`. */
async function sign({ id, timestampS, body }: Message, secret: string): Promise<string> {
  const raw = Uint8Array.from(atob(secret.slice(SECRET_PREFIX.length)), (char) => char.charCodeAt(0));
  const key = await crypto.subtle.importKey("raw", raw, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  const content = new TextEncoder().encode(`${id}.${timestampS}.${body}`);
  const digest = new Uint8Array(await crypto.subtle.sign("HMAC", key, content));
  return `v1,${btoa(String.fromCharCode(...digest))}`;
}
