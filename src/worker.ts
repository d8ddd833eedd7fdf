/** What the Worker does with a request: the API for its own hosts, every other host passes through untouched. */
import type { Services } from "./api/call.ts";
import { answer } from "./api/router.ts";
import { hostMatches } from "./options.ts";

export async function handleRequest(request: Request, services: Services): Promise<Response> {
  const { hostname } = new URL(request.url);
  if (!hostMatches(hostname, services.options.apiHosts)) return fetch(request);
  return answer(request, services);
}
