/** Tokens as the configuration takes them: the server gets only digests. */
import { createHash } from "node:crypto";

export interface TestToken {
  readonly name: string;
  readonly token: string;
  readonly scopes: readonly string[];
  readonly sites: readonly string[];
  readonly expires_at?: string;
}

export function tokenOf(
  name: string,
  scopes: readonly string[],
  sites: readonly string[],
  expires_at?: string,
): TestToken {
  const token = `test-token-${name}-0123456789abcdef0123456789abcdef`;
  return { name, token, scopes, sites, ...(expires_at === undefined ? {} : { expires_at }) };
}

/** The value of `API_TOKENS`. */
export function apiTokens(tokens: readonly TestToken[]): string {
  return JSON.stringify(
    tokens.map(({ token, ...rest }) => ({
      ...rest,
      sha256: createHash("sha256").update(token).digest("hex"),
    })),
  );
}
