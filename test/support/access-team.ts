/** A Cloudflare Access team: its keys on loopback, and assertions that they sign. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { exportJWK, generateKeyPair, SignJWT } from "jose";

export const AUDIENCE = "aud-of-the-application";

export interface AccessTeam {
  /** What ACCESS_TEAM is set to. */
  readonly origin: string;
  sign(email: string, audience?: string): Promise<string>;
  stop(): void;
}

export async function startAccessTeam(): Promise<AccessTeam> {
  const keys = await generateKeyPair("RS256", { extractable: true });
  const jwk = { ...(await exportJWK(keys.publicKey)), kid: "k", alg: "RS256", use: "sig" };
  const team = createServer((request, response) => {
    response.statusCode = request.url === "/cdn-cgi/access/certs" ? 200 : 404;
    response.setHeader("content-type", "application/json").end(JSON.stringify({ keys: [jwk] }));
  }).listen(0, "127.0.0.1");
  await once(team, "listening");
  const origin = `http://127.0.0.1:${(team.address() as AddressInfo).port}`;
  return {
    origin,
    sign: (email, audience = AUDIENCE) =>
      new SignJWT({ email })
        .setProtectedHeader({ alg: "RS256", kid: "k" })
        .setIssuer(origin)
        .setAudience(audience)
        .setIssuedAt()
        .setExpirationTime("5m")
        .sign(keys.privateKey),
    stop: () => {
      team.closeAllConnections();
      team.close();
    },
  };
}
