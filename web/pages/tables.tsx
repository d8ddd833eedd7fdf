/** The site's fingerprints and their families, as tables. */
import type { HelloTide } from "../../client/index.ts";
import { compact, count, percent } from "../format.ts";
import { collect, useLoad } from "../load.ts";
import { choose } from "../location.ts";
import { hrefOf, type Route } from "../route.ts";
import { Select, Text } from "../ui/form.tsx";
import { Await, Empty, Ja4, Names, Section, Table, Time } from "../ui/parts.tsx";
import { Rows } from "../ui/rows.tsx";

const ROWS_MAX = 5_000;
const PAGE = 500;
const FAMILIES_MAX = 200;
const REFRESH_MS = 15_000;
const SORTS = ["reqs", "ips", "uas", "paths", "score", "last_seen"] as const;
const COLUMNS = ["requests", "addresses", "user agents", "paths", "score", "last seen"];
const WINDOWS = ["1m", "5m", "1h"] as const;
const PARTS = ["a", "b", "c"] as const;

function oneOf<T extends string>(values: readonly T[], value: string | null, otherwise: T): T {
  return values.find((one) => one === value) ?? otherwise;
}

export function TopPage({ api, site, route }: { api: HelloTide; site: string; route: Route }) {
  const sort = oneOf(SORTS, route.query.get("sort"), "reqs");
  const order = oneOf(["asc", "desc"] as const, route.query.get("order"), "desc");
  const window = oneOf(WINDOWS, route.query.get("window"), "1h");
  const ja4 = route.query.get("ja4") ?? "";
  const query = { sort, order, window, limit: PAGE, ...(ja4 === "" ? {} : { ja4 }) };
  const loaded = useLoad(
    JSON.stringify([site, query]),
    (signal) => collect(api.site(site).fingerprints(query), ROWS_MAX, signal),
    REFRESH_MS,
  );
  const sortBy = (name: string) => {
    if (name === sort) choose(route, "order", order === "desc" ? "asc" : "");
    else choose(route, "sort", name);
  };
  const head = (
    <tr>
      <th scope="col">fingerprint</th>
      <th scope="col" class="names">
        name
      </th>
      {SORTS.map((name, i) => (
        <th
          key={name}
          scope="col"
          aria-sort={name === sort ? (order === "desc" ? "descending" : "ascending") : "none"}
        >
          <button type="button" class="sort" onClick={() => sortBy(name)}>
            {COLUMNS[i]} {name === sort ? (order === "desc" ? "↓" : "↑") : ""}
          </button>
        </th>
      ))}
      <th scope="col">browser</th>
    </tr>
  );
  return (
    <>
      <h1>Fingerprints</h1>
      <div class="fields filters">
        <Select
          label="Window"
          value={window}
          options={WINDOWS.map((name) => [name, name])}
          onValue={(to) => choose(route, "window", to)}
        />
        <Text
          label="Fingerprint"
          value={ja4}
          placeholder="t13d*"
          onValue={(to) => choose(route, "ja4", to)}
        />
      </div>
      <Await of={loaded}>
        {({ rows, more }) =>
          rows.length === 0 ? (
            <Empty>No fingerprint of this form had a request in this window.</Empty>
          ) : (
            <>
              <p class="quiet">
                {count(rows.length)} fingerprints{more && ", and there are more"}
              </p>
              <Rows
                label="Fingerprints"
                rows={rows}
                head={head}
                row={(row) => (
                  <tr key={row.ja4}>
                    <td>
                      <Ja4 site={site} ja4={row.ja4} />
                    </td>
                    <td class="names">
                      <Names names={row.names} />
                    </td>
                    <td>{compact(row.reqs)}</td>
                    <td>{compact(row.ips)}</td>
                    <td>{compact(row.uas)}</td>
                    <td>{compact(row.paths)}</td>
                    <td>{count(row.score)}</td>
                    <td>
                      <Time at={row.last_seen} />
                    </td>
                    <td>{percent(row.browser_ratio)}</td>
                  </tr>
                )}
              />
            </>
          )
        }
      </Await>
    </>
  );
}

export function FamiliesPage({ api, site, route }: { api: HelloTide; site: string; route: Route }) {
  const part = oneOf(PARTS, route.query.get("part"), "a");
  const loaded = useLoad(
    `${site} ${part}`,
    (signal) => collect(api.site(site).families({ part }), FAMILIES_MAX, signal),
    REFRESH_MS,
  );
  const globOf = (value: string) => ({ a: `${value}_*`, b: `*_${value}_*`, c: `*_${value}` })[part];
  return (
    <Section
      title="Families"
      aside={
        <Select
          label="Same"
          value={part}
          options={[
            ["a", "protocol, version, counts, ALPN"],
            ["b", "ciphers"],
            ["c", "extensions"],
          ]}
          onValue={(to) => choose(route, "part", to)}
        />
      }
    >
      <Await of={loaded}>
        {({ rows }) =>
          rows.length === 0 ? (
            <Empty>No family had a request within the last hour.</Empty>
          ) : (
            <Table
              label="Families"
              head={["family", "requests, 1 h", "fingerprints, 1 h", "newborn in a minute"]}
            >
              {rows.map((row) => (
                <tr key={row.value}>
                  <th scope="row">
                    <a
                      href={hrefOf({
                        page: "fingerprints",
                        site,
                        query: new URLSearchParams({ ja4: globOf(row.value) }),
                      })}
                    >
                      <code>{row.value}</code>
                    </a>
                  </th>
                  <td>{count(row.reqs_1h)}</td>
                  <td>{count(row.fingerprints_1h)}</td>
                  <td>{count(row.newborn_1m)}</td>
                </tr>
              ))}
            </Table>
          )
        }
      </Await>
    </Section>
  );
}
