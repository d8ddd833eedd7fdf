/** Identifiers from randomness that the caller passes in, so that every test can repeat them. */

/** Fills `bytes` with randomness; in production `crypto.getRandomValues`. */
export type Random = (bytes: Uint8Array) => Uint8Array;

const CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/** ULID (https://github.com/ulid/spec): 48 bits of time in ms, 80 bits of randomness, 26 characters. */
export function ulid(nowMs: number, random: Random): string {
  let time = "";
  for (let rest = nowMs, i = 0; i < 10; i++, rest = Math.floor(rest / 32))
    time = CROCKFORD[rest % 32]! + time;
  let tail = "";
  for (const byte of random(new Uint8Array(16))) tail += CROCKFORD[byte & 31]!;
  return time + tail;
}

/** 256 random bits as 43 URL-safe characters: tokens, tickets. */
export function secret(random: Random): string {
  return base64url(random(new Uint8Array(32)));
}

export function base64url(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
