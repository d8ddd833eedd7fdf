/**
 * Visitors' requests with what Cloudflare says of them: a few hundred fingerprints by Zipf's law, addresses, agents and
 * paths that repeat as on a shop, `request.cf` with all that an Enterprise zone sends. The same seed, the same requests.
 */
import { generator } from "./random.ts";

export interface Visit {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly cf: Readonly<Record<string, unknown>>;
}

export const HOST = "www.example.com";
const SEED = 20_261_123;
const FINGERPRINTS = 300;
const ADDRESSES = 4_000;
const AGENTS = 150;
const PATHS = 600;

export function visits(count: number): Visit[] {
  const random = generator(SEED);
  const below = (limit: number) => Math.floor(random() * limit);
  /** Index by Zipf's law, roughly: the n-th is as often as 1/n. */
  const popular = (limit: number) => Math.floor(limit ** random()) - 1;
  const digits = (length: number) => Array.from({ length }, () => below(16).toString(16)).join("");
  const fingerprints = Array.from({ length: FINGERPRINTS }, () => fingerprint(digits, random));
  const addresses = Array.from({ length: ADDRESSES }, () => address(below));
  const agents = Array.from({ length: AGENTS }, (_, i) => agent(i));
  const paths = Array.from({ length: PATHS }, (_, i) => path(i));
  return Array.from({ length: count }, () => {
    const client = fingerprints[popular(FINGERPRINTS)];
    return {
      url: `https://${HOST}${paths[popular(PATHS)]}${random() < 0.3 ? `?page=${below(40)}&sort=price` : ""}`,
      headers: {
        "user-agent": agents[popular(AGENTS)] ?? "",
        "cf-connecting-ip": addresses[popular(ADDRESSES)] ?? "",
        "cf-ray": `${digits(16)}-FRA`,
        accept: "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
        "accept-language": "de-DE,de;q=0.9,en;q=0.8",
        "accept-encoding": "gzip, br",
      },
      cf: { ...place(below), botManagement: { ...client, score: 1 + below(99) } },
    };
  });
}

function place(below: (limit: number) => number): Record<string, unknown> {
  const asns: [number, string][] = [
    [3320, "Deutsche Telekom AG"],
    [7922, "Comcast Cable"],
    [14618, "Amazon.com"],
    [24940, "Hetzner Online GmbH"],
  ];
  const [asn, asOrganization] = asns[below(asns.length)] ?? [0, ""];
  return {
    asn,
    asOrganization,
    ...{ colo: "FRA", continent: "EU", country: "DE", city: "Frankfurt am Main", region: "Hesse" },
    ...{ latitude: "50.11552", longitude: "8.68417", postalCode: "60313", timezone: "Europe/Berlin" },
    httpProtocol: ["HTTP/2", "HTTP/3", "HTTP/2", "HTTP/1.1"][below(4)],
    requestPriority: "weight=256;exclusive=1",
    ...{ clientTcpRtt: below(80), clientAcceptEncoding: "gzip, deflate, br", edgeRequestKeepAliveStatus: 1 },
    ...{ tlsVersion: "TLSv1.3", tlsCipher: "AEAD-AES128-GCM-SHA256" },
    tlsClientCiphersSha1: "kXrN3VEKDdzz2cPKTQaKzpxVTxQ=",
    tlsClientExtensionsSha1: "GWeb1cCR2UBICwtIDbeP9YjL/PU=",
    verifiedBotCategory: "",
  };
}

function fingerprint(digits: (length: number) => string, random: () => number): Record<string, unknown> {
  const rank = 1 + Math.floor(random() * 900_000);
  return {
    ja4: `t13d${10 + Math.floor(random() * 80)}${10 + Math.floor(random() * 10)}h2_${digits(12)}_${digits(12)}`,
    ja3Hash: digits(32),
    ja4Signals: {
      h2h3_ratio_1h: random(),
      heuristic_ratio_1h: random() * 0.1,
      browser_ratio_1h: random(),
      cache_ratio_1h: random(),
      reqs_rank_1h: rank,
      uas_rank_1h: rank + 17,
      paths_rank_1h: rank + 250,
      ips_rank_1h: rank + 31,
      reqs_quantile_1h: 1 - rank / 1_000_000,
      ips_quantile_1h: 1 - (rank + 31) / 1_000_000,
    },
    verifiedBot: false,
    corporateProxy: false,
    staticResource: false,
    jsDetection: { passed: random() < 0.7 },
    detectionIds: random() < 0.05 ? [152_120_193] : {},
  };
}

function address(below: (limit: number) => number): string {
  if (below(100) < 60) return `${20 + below(180)}.${below(256)}.${below(256)}.${1 + below(254)}`;
  const group = () => below(65_536).toString(16);
  return `2a02:${group()}:${group()}:${group()}:${group()}:${group()}:${group()}:${group()}`;
}

function agent(i: number): string {
  const version = 100 + (i % 45);
  const engine = "AppleWebKit/537.36 (KHTML, like Gecko)";
  switch (i % 5) {
    case 0:
      return `Mozilla/5.0 (Windows NT 10.0; Win64; x64) ${engine} Chrome/${version}.0.0.0 Safari/537.36`;
    case 1:
      return `Mozilla/5.0 (Linux; Android 14; Pixel 8) ${engine} Chrome/${version}.0.${i}.0 Mobile Safari/537.36`;
    case 2:
      return `Mozilla/5.0 (X11; Linux x86_64; rv:${version}.0) Gecko/20100101 Firefox/${version}.0`;
    case 3:
      return `Mozilla/5.0 (compatible; ExampleBot/2.${i}; +https://bot.example/about)`;
    default:
      return `python-requests/2.${i}.0`;
  }
}

function path(i: number): string {
  if (i === 0) return "/";
  if (i % 4 === 0) return `/assets/app-${(i * 2_654_435_761).toString(36).slice(0, 8)}.js`;
  return `/products/category-${i % 12}/item-${i}/blue-running-shoe-size-${36 + (i % 12)}`;
}
