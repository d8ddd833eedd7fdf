/** User agents of each family: a few dozen a browser, as frozen user-agent strings leave versions and platforms. */
import type { Draw } from "./random.ts";

export type Family =
  | "chromium"
  | "firefox"
  | "safari"
  | "http3"
  | "python"
  | "go"
  | "tool"
  | "app"
  | "crawler"
  | "monitor";

export const BROWSERS: readonly Family[] = ["chromium", "firefox", "safari", "http3"];

export type WeightedAgents = readonly (readonly [string, number])[];

const PLATFORMS: WeightedAgents = [
  ["Windows NT 10.0; Win64; x64", 60],
  ["Macintosh; Intel Mac OS X 10_15_7", 22],
  ["X11; Linux x86_64", 6],
];
const ANDROID = "Linux; Android 10; K";

export function chromeAgent(version: number, platform: string, mobile = false): string {
  const tail = mobile ? "Mobile Safari/537.36" : "Safari/537.36";
  return `Mozilla/5.0 (${platform}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/${version}.0.0.0 ${tail}`;
}

/** One version on all platforms, and Edge beside it. */
function chromium(version: number, weight: number): [string, number][] {
  return [
    ...PLATFORMS.map(([platform, share]): [string, number] => [
      chromeAgent(version, platform),
      weight * share,
    ]),
    [chromeAgent(version, ANDROID, true), weight * 40],
    [`${chromeAgent(version, "Windows NT 10.0; Win64; x64")} Edg/${version}.0.0.0`, weight * 12],
  ];
}

function firefox(version: number, weight: number): [string, number][] {
  return PLATFORMS.map(([platform, share]): [string, number] => [
    `Mozilla/5.0 (${platform.replace("10_15_7", "10.15")}; rv:${version}.0) Gecko/20100101 Firefox/${version}.0`,
    weight * share,
  ]);
}

function safari(version: string, weight: number): [string, number][] {
  const engine = "AppleWebKit/605.1.15 (KHTML, like Gecko)";
  const ios = version.replace(".", "_");
  return [
    [`Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) ${engine} Version/${version} Safari/605.1.15`, weight],
    [
      `Mozilla/5.0 (iPhone; CPU iPhone OS ${ios} like Mac OS X) ${engine} Version/${version} Mobile/15E148 Safari/604.1`,
      weight * 3,
    ],
  ];
}

const CRAWLER_AGENTS = [
  "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
  "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm) Chrome/116.0.1938.76 Safari/537.36",
  "Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)",
];
const MONITOR_AGENTS = [
  "Mozilla/5.0 (compatible; UptimeRobot/2.0; http://www.uptimerobot.com/)",
  "Pingdom.com_bot_version_1.4_(http://www.pingdom.com/)",
  "check_http/v2.4.6 (monitoring-plugins 2.4.6)",
];
const TOOL_AGENTS = [
  "curl/8.5.0",
  "curl/7.81.0",
  "Wget/1.21.4",
  "Java/17.0.12",
  "axios/1.7.7",
  "node",
  "PostmanRuntime/7.42.0",
  "okhttp/4.12.0",
];

/** What clients of one fingerprint say of themselves; `draw` belongs to the fingerprint. */
export function agentsOf(family: Family, draw: Draw): WeightedAgents {
  switch (family) {
    case "chromium":
    case "http3": {
      const newest = draw.weighted([
        [142, 6],
        [141, 3],
        [138, 2],
        [131, 1],
      ]);
      return [...chromium(newest, 10), ...chromium(newest - 1, 3), ...chromium(newest - 4, 1)];
    }
    case "firefox":
      return [...firefox(144, 8), ...firefox(140, 2), ...firefox(128, 1)];
    case "safari":
      return [...safari("18.6", 6), ...safari("26.0", 3), ...safari("17.6", 2)];
    case "python":
      return [
        [draw.pick(["python-requests/2.32.3", "python-httpx/0.27.2", "Python/3.12 aiohttp/3.10.5"]), 1],
      ];
    case "go":
      return [
        [
          draw.pick(["Go-http-client/1.1", "Go-http-client/2.0", "colly - https://github.com/gocolly/colly"]),
          1,
        ],
      ];
    case "tool":
      return [[draw.pick(TOOL_AGENTS), 1]];
    case "app": {
      const build = 400 + draw.int(80);
      return [
        [`ShopApp/7.${draw.int(9)} (Android 15; build ${build})`, 6],
        [`ShopApp/6.9 (Android 14; build ${build - 30})`, 3],
      ];
    }
    case "crawler":
      return [[draw.pick(CRAWLER_AGENTS), 1]];
    case "monitor":
      return [[draw.pick(MONITOR_AGENTS), 1]];
  }
}

/** The few that share a browser's fingerprint and are none: test drivers and previews. */
export const HEADLESS_AGENT =
  "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/141.0.0.0 Safari/537.36";
