/** Every view is an address: `#/sites/shop/fingerprints/t13d…?…`. What is chosen in a view is in its query. */
export const SITE_PAGES = [
  "live",
  "fingerprints",
  "families",
  "summary",
  "thresholds",
  "silences",
  "webhooks",
] as const;
export const OTHER_PAGES = ["tokens", "audit"] as const;
export type PageName = (typeof SITE_PAGES)[number] | (typeof OTHER_PAGES)[number];

export interface Route {
  readonly page: PageName;
  readonly site?: string | undefined;
  /** On the page `fingerprints`: one of them. */
  readonly ja4?: string | undefined;
  readonly query: URLSearchParams;
}

/** What is no address of ours is the live view of whichever site comes first. */
export function parseRoute(hash: string): Route {
  const [path = "", search = ""] = hash.replace(/^#/, "").split("?", 2);
  const query = new URLSearchParams(search);
  const [first, site, page = "live", ja4] = path.split("/").filter(Boolean).map(decode);
  if (OTHER_PAGES.some((name) => name === first)) return { page: first as PageName, query };
  if (first !== "sites" || site === undefined) return { page: "live", query };
  if (!SITE_PAGES.some((name) => name === page)) return { page: "live", site, query };
  return { page: page as PageName, site, ja4, query };
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

export interface Target {
  readonly page: PageName;
  readonly site?: string | undefined;
  readonly ja4?: string | undefined;
  readonly query?: URLSearchParams;
}

export function hrefOf({ page, site, ja4, query }: Target): string {
  const search = query === undefined || query.size === 0 ? "" : `?${query}`;
  if (OTHER_PAGES.some((name) => name === page)) return `#/${page}${search}`;
  const parts = [
    "sites",
    site ?? "",
    ...(page === "live" ? [] : [page]),
    ...(ja4 === undefined ? [] : [ja4]),
  ];
  return `#/${parts.map(encodeURIComponent).join("/")}${search}`;
}
