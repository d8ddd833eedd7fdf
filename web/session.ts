/** Who is signed in. A token lives in the tab's session storage and ends with the tab; with Access there is none. */
import { HelloTide, HelloTideError } from "../client/index.ts";

export interface Session {
  readonly api: HelloTide;
  readonly sites: readonly string[];
  /** Known by Cloudflare Access: there is nothing to sign out of here. */
  readonly isAccess: boolean;
}

const KEY = "hellotide.token";
/** A wrong token must not be tried again and again; a server that is starting must. */
const RETRIES = 2;

export function rememberedToken(): string | undefined {
  return sessionStorage.getItem(KEY) ?? undefined;
}

export function forget(): void {
  sessionStorage.removeItem(KEY);
}

/** Signs in, by Access where `token` is absent. Throws what the server says. */
export async function signIn(token: string | undefined): Promise<Session> {
  const api = new HelloTide({
    url: new URL("/", location.href),
    token,
    feedAuth: "ticket",
    retries: RETRIES,
  });
  const { sites } = await api.request("GET", "/v1/sites");
  if (token !== undefined) sessionStorage.setItem(KEY, token);
  return { api, sites, isAccess: token === undefined };
}

/** An error as a sentence for people. */
export function sayError(error: unknown): string {
  if (error instanceof HelloTideError) {
    const { status, problem } = error;
    const faults = problem?.errors?.map(({ pointer, detail }) => `${pointer || "body"}: ${detail}`) ?? [];
    const text = [problem?.detail ?? error.message, ...faults].join(" · ");
    return status === 403 ? `Not allowed with this token. ${text}` : text;
  }
  return error instanceof TypeError ? "The server cannot be reached." : String(error);
}
