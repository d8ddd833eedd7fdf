/**
 * In front of real visitors: the request goes to its origin and the answer back as they are, streaming, whatever becomes
 * of the observer. Everything of ours happens behind the response, or not at all.
 */
import type { Options } from "../options.ts";
import type { FeatureRow } from "../signals/features.ts";
import { SIGNALS_HEADER, signalsHeader } from "./signals-header.ts";

/**
 * The request as it goes to the origin. It is the visitor's own object unless something must change: the caller's copy of
 * our header is taken off, ours put on, or the try-out's origin is somewhere else.
 */
export function outgoing(
  request: Request,
  options: Pick<Options, "originUrl" | "signalsHeader">,
  signals: { row: FeatureRow; ageMs: number } | undefined,
): Request {
  const value =
    options.signalsHeader && signals !== undefined ? signalsHeader(signals.row, signals.ageMs) : undefined;
  const forged = request.headers.has(SIGNALS_HEADER);
  if (value === undefined && !forged && options.originUrl === undefined) return request;
  const changed = new Request(toOrigin(request.url, options.originUrl), request);
  changed.headers.delete(SIGNALS_HEADER);
  if (value !== undefined) changed.headers.set(SIGNALS_HEADER, value);
  return changed;
}

function toOrigin(url: string, originUrl: string | undefined): string {
  if (originUrl === undefined) return url;
  const { pathname, search } = new URL(url);
  return `${originUrl}${pathname}${search}`;
}
