/** The frame around every view: sign-in, site, navigation, theme. */
import { useEffect, useState } from "preact/hooks";
import { HelloTideError } from "../client/index.ts";
import { useRoute } from "./location.ts";
import { AuditPage } from "./pages/audit.tsx";
import { FingerprintPage } from "./pages/fingerprint.tsx";
import { LivePage } from "./pages/live.tsx";
import { SignIn } from "./pages/signin.tsx";
import { SilencesPage } from "./pages/silences.tsx";
import { SummaryPage } from "./pages/summary.tsx";
import { FamiliesPage, TopPage } from "./pages/tables.tsx";
import { ThresholdsPage } from "./pages/thresholds.tsx";
import { TokensPage } from "./pages/tokens.tsx";
import { WebhooksPage } from "./pages/webhooks.tsx";
import { hrefOf, OTHER_PAGES, type PageName, type Route, SITE_PAGES } from "./route.ts";
import { forget, rememberedToken, type Session, signIn } from "./session.ts";
import { keepTheme, theTheme } from "./theme.ts";
import { Empty, Failure } from "./ui/parts.tsx";

const TITLES: Readonly<Record<PageName, string>> = {
  ...{ live: "Live", fingerprints: "Fingerprints", families: "Families", summary: "Summary" },
  ...{
    thresholds: "Thresholds",
    silences: "Silences",
    webhooks: "Webhooks",
    tokens: "Tokens",
    audit: "Audit",
  },
};

/** Views with a heading of their own. */
const HEADED: readonly PageName[] = ["fingerprints", "summary"];

type Door =
  | { readonly state: "knocking" }
  | { readonly state: "closed" }
  | { readonly state: "unsure"; readonly error: unknown };

export function App() {
  const [session, setSession] = useState<Session>();
  const [door, setDoor] = useState<Door>({ state: "knocking" });
  const [tries, setTries] = useState(0);
  useEffect(() => {
    signIn(rememberedToken())
      .then(setSession)
      .catch((error: unknown) => {
        const isRefused = error instanceof HelloTideError && error.status === 401;
        if (isRefused) forget();
        setDoor(isRefused ? { state: "closed" } : { state: "unsure", error });
      });
  }, [tries]);
  if (session !== undefined) {
    const leave = () => {
      forget();
      setSession(undefined);
      setDoor({ state: "closed" });
    };
    return <Signed session={session} onLeave={leave} />;
  }
  if (door.state === "closed") return <SignIn onSession={setSession} />;
  if (door.state === "knocking") return <main class="door loading">Loading …</main>;
  return (
    <main class="door">
      <h1>HelloTide</h1>
      <Failure error={door.error} again={() => setTries(tries + 1)} />
    </main>
  );
}

function Signed({ session, onLeave }: { session: Session; onLeave: () => void }) {
  const route = useRoute();
  const { sites } = session;
  const site = route.site ?? firstOf(sites);
  const title = route.ja4 ?? TITLES[route.page];
  useEffect(() => {
    document.title = `${title} · ${site} · HelloTide`;
  }, [title, site]);
  return (
    <>
      <button type="button" class="skip" onClick={toContent}>
        To the content
      </button>
      <header class="top">
        <a class="brand" href={hrefOf({ page: "live", site })}>
          HelloTide
        </a>
        <label>
          <span class="hidden">Site</span>
          <select
            value={site}
            onChange={({ currentTarget }) => {
              location.hash = hrefOf({ page: route.page, site: currentTarget.value });
            }}
          >
            {sites.map((name) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        </label>
        <Navigation current={route.page} site={site} />
        <span class="end">
          <ThemeButton />
          {!session.isAccess && (
            <button type="button" class="small" onClick={onLeave}>
              Sign out
            </button>
          )}
        </span>
      </header>
      <main id="main" tabIndex={-1}>
        {!HEADED.includes(route.page) && <h1 class="hidden">{TITLES[route.page]}</h1>}
        {sites.includes(site) || OTHER_PAGES.some((name) => name === route.page) ? (
          <View
            key={`${site} ${route.page} ${route.ja4 ?? ""}`}
            session={session}
            site={site}
            route={{ ...route, site }}
          />
        ) : (
          <Empty>There is no site “{site}” that this token may see.</Empty>
        )}
      </main>
      <footer>
        Keys: <kbd>j</kbd> <kbd>k</kbd> next and previous episode, <kbd>Enter</kbd> open, <kbd>/</kbd> filter,{" "}
        <kbd>p</kbd> pause
      </footer>
    </>
  );
}

/** `default` is where the traffic of unlisted hosts goes: seldom what somebody came for. */
function firstOf(sites: readonly string[]): string {
  return sites.find((name) => name !== "default") ?? sites[0] ?? "";
}

/** No link: the address is the view's. */
function toContent(): void {
  document.getElementById("main")?.focus();
}

function Navigation({ current, site }: { current: PageName; site: string }) {
  useEffect(() => {
    // On a phone the views are a strip that scrolls.
    document.querySelector("nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
  }, [current]);
  return (
    <nav aria-label="Views">
      {[...SITE_PAGES, ...OTHER_PAGES].map((page) => (
        <a key={page} href={hrefOf({ page, site })} aria-current={page === current ? "page" : undefined}>
          {TITLES[page]}
        </a>
      ))}
    </nav>
  );
}

function View({ session: { api }, site, route }: { session: Session; site: string; route: Route }) {
  switch (route.page) {
    case "live":
      return <LivePage api={api} site={site} route={route} />;
    case "fingerprints":
      return route.ja4 === undefined ? (
        <TopPage api={api} site={site} route={route} />
      ) : (
        <FingerprintPage api={api} site={site} ja4={route.ja4} />
      );
    case "families":
      return <FamiliesPage api={api} site={site} route={route} />;
    case "summary":
      return <SummaryPage api={api} site={site} />;
    case "thresholds":
      return <ThresholdsPage api={api} site={site} />;
    case "silences":
      return <SilencesPage api={api} site={site} />;
    case "webhooks":
      return <WebhooksPage api={api} site={site} />;
    case "tokens":
      return <TokensPage api={api} />;
    case "audit":
      return <AuditPage api={api} />;
  }
}

function ThemeButton() {
  const [theme, setTheme] = useState(theTheme);
  const other = theme === "dark" ? "light" : "dark";
  const choose = () => {
    keepTheme(other);
    setTheme(other);
  };
  return (
    <button type="button" class="small" onClick={choose} aria-label={`${other} theme`}>
      {other === "dark" ? "☾" : "☀"}
    </button>
  );
}
