/**
 * The dashboard's files. They need no token: all they know comes from the API afterwards. What a browser may do with them is
 * said here, so that every engine says the same.
 */
import type { Services } from "./call.ts";

/** No inline script or style, nothing from elsewhere, no frame around it. `'self'` of connect-src covers the feed's WebSocket. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
].join("; ");

const HEADERS: Readonly<Record<string, string>> = {
  "content-security-policy": POLICY,
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "permissions-policy": "camera=(), geolocation=(), microphone=()",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
};

/** A name with a hash of its content in it never means anything else. */
const HASHED = "/assets/";

/** The file at this path; `undefined` where there is none, or none is meant. */
export async function page(request: Request, url: URL, { assets }: Services): Promise<Response | undefined> {
  const { pathname } = url;
  if (assets === undefined || pathname.startsWith("/v1/")) return undefined;
  if (request.method !== "GET" && request.method !== "HEAD") return undefined;
  const found = await assets(request);
  if (found.status >= 400) {
    await found.body?.cancel();
    return undefined;
  }
  const response = new Response(found.body, found);
  for (const [name, value] of Object.entries(HEADERS)) response.headers.set(name, value);
  const lasting = pathname.startsWith(HASHED) ? "public, max-age=31536000, immutable" : "no-cache";
  response.headers.set("cache-control", lasting);
  return response;
}
