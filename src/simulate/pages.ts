/** The simulated shop: what can be asked for, how popular it is, how it answers and what the cache says. */
import type { Draw } from "./random.ts";

export interface Hit {
  host: string;
  path: string;
  method: string;
  status: number;
  cache: string;
}

const WWW = "www.shop.example";
const STATIC = "static.shop.example";
const API = "api.shop.example";

const PRODUCTS = 400;
const CATEGORIES = ["shoes", "coats", "bags", "lamps", "chairs", "books", "toys", "tea", "bikes", "tents"];
const ASSETS = [
  ..."app vendor cart search account checkout".split(" ").map((name) => `/assets/${name}.4f1c.js`),
  ..."base shop fonts".split(" ").map((name) => `/assets/${name}.9a02.css`),
  ..."inter.woff2 logo.svg sprite.svg hero.webp".split(" ").map((name) => `/assets/${name}`),
];
/** Chosen more or less by rank: P(rank ≤ x) grows with the logarithm, as Zipf's law has it. */
function popular(draw: Draw, count: number): number {
  return Math.min(Math.floor(count ** draw.uniform()), count) - 1;
}

function product(draw: Draw): number {
  return 1_001 + popular(draw, PRODUCTS);
}

const PAGE_CACHE = [
  ["dynamic", 68],
  ["hit", 20],
  ["miss", 8],
  ["bypass", 4],
] as const;
const ASSET_CACHE = [
  ["hit", 86],
  ["miss", 7],
  ["expired", 3],
  ["revalidated", 4],
] as const;
const PAGE_STATUS = [
  [200, 950],
  [301, 15],
  [304, 15],
  [404, 15],
  [503, 2],
] as const;
const API_STATUS = [
  [200, 960],
  [204, 20],
  [401, 8],
  [404, 8],
  [500, 2],
] as const;

export function page(draw: Draw): Hit {
  const path = draw.weighted([
    ["/", 25],
    [`/c/${CATEGORIES[popular(draw, CATEGORIES.length)]}`, 25],
    [`/p/${product(draw)}`, 35],
    ["/search", 8],
    ["/cart", 4],
    ["/account", 2],
    ["/checkout", 1],
  ]);
  return {
    host: WWW,
    path,
    method: "GET",
    status: draw.weighted(PAGE_STATUS),
    cache: draw.weighted(PAGE_CACHE),
  };
}

export function asset(draw: Draw): Hit {
  const path = draw.chance(0.55) ? draw.pick(ASSETS) : `/img/p/${product(draw)}.webp`;
  const status = draw.weighted([
    [200, 90],
    [304, 9],
    [404, 0.5],
  ]);
  return { host: STATIC, path, method: "GET", status, cache: draw.weighted(ASSET_CACHE) };
}

export function apiCall(draw: Draw): Hit {
  const [method, path] = draw.weighted<[string, string]>([
    [["GET", "/v2/prices"], 40],
    [["GET", "/v2/stock"], 30],
    [["GET", "/v2/cart"], 15],
    [["POST", "/v2/cart/items"], 10],
    [["POST", "/v2/login"], 2],
  ]);
  return {
    host: API,
    path,
    method,
    status: draw.weighted(API_STATUS),
    cache: draw.chance(0.95) ? "dynamic" : "bypass",
  };
}

/** A crawler reads products in no order of popularity. */
export function crawled(draw: Draw): Hit {
  const path = draw.chance(0.1) ? "/robots.txt" : `/p/${1_001 + draw.int(PRODUCTS)}`;
  return { ...page(draw), path };
}

export function ping(draw: Draw): Hit {
  return {
    host: WWW,
    path: "/status",
    method: draw.chance(0.5) ? "HEAD" : "GET",
    status: 200,
    cache: "dynamic",
  };
}

export function login(status: number): Hit {
  return { host: WWW, path: "/login", method: "POST", status, cache: "dynamic" };
}

export function front(path: string, status: number): Hit {
  return { host: WWW, path, method: "GET", status, cache: "dynamic" };
}

export function priceOf(draw: Draw): Hit {
  return {
    host: API,
    path: `/v2/prices/${1_001 + draw.int(PRODUCTS)}`,
    method: "GET",
    status: 200,
    cache: "dynamic",
  };
}
