/**
 * Lines in the common and combined log format (https://httpd.apache.org/docs/current/logs.html#accesslog), as Apache
 * and nginx write them, also with `%v:%p` first (vhost_combined) and with further fields at the end.
 *
 * By hand: the packages for it are formats-by-template engines that cut at blanks and quotes without Apache's escapes, and
 * answer a broken line with half a record; here a line is either whole or named.
 */
import { isIP } from "node:net";
import { known, type LineParser, type LogRecord, type Parsed, pathOf } from "./record.ts";

/** A quoted field: a backslash keeps a quote inside. Linear, whatever the line holds. */
const QUOTED = `"((?:[^"\\\\]|\\\\.)*)"`;
const HEAD = new RegExp(`^(.*?) \\[([^\\]]*)\\] ${QUOTED} (\\d{3}|-) (\\d+|-)`);
const TAIL = new RegExp(`^ ${QUOTED} ${QUOTED}`);
const REQUEST = /^([!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}) (.+?)(?: (HTTP\/\d+(?:\.\d+)?))?$/;
const TIME = /^(\d\d)\/([A-Z][a-z]{2})\/(\d{4}):(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))? ([+-])(\d\d)(\d\d)$/;
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const ESCAPE = /\\(["\\]|x22|x5[cC]|t)/g;

export const parseCombined: LineParser = (text) => parse(text, true);
export const parseCommon: LineParser = (text) => parse(text, false);

function parse(text: string, combined: boolean): Parsed {
  const head = HEAD.exec(text);
  if (head === null)
    return { fault: 'not an access log line: expected address, [time], "request", status, size' };
  const [whole, who = "", when = "", request = "", status = ""] = head;
  const timeMs = parseTime(when);
  if (timeMs === undefined) return { fault: "the time is not of the form [17/May/2015:10:05:03 +0000]" };
  const people = parseWho(who);
  if (people === undefined) return { fault: "does not begin with address, identity and user" };
  let agent: string | undefined;
  if (combined) {
    const tail = TAIL.exec(text.slice(whole.length));
    if (tail === null) return { fault: tailFault(text.slice(whole.length)) };
    agent = unquote(tail[2] ?? "");
  }
  return { record: assemble(timeMs, people, unquote(request), Number(status), agent) };
}

function assemble(
  timeMs: number,
  { client, host }: Who,
  request: string,
  status: number,
  agent: string | undefined,
): LogRecord {
  const asked = parseRequest(request);
  return {
    timeMs,
    fields: known({
      // Host names (HostnameLookups) and `unix:` are no addresses: better unknown than refused.
      client_ip: isIP(client) === 0 ? undefined : client,
      host: asked.host ?? host,
      user_agent: agent,
      method: asked.method,
      path: asked.path,
      http_protocol: asked.protocol,
      // 000 and - stand for a connection that ended before an answer.
      status: status >= 100 && status <= 599 ? status : undefined,
    }),
  };
}

interface Asked {
  readonly method?: string;
  readonly path?: string;
  readonly host?: string;
  readonly protocol?: string;
}

/** Nothing is known of a request that is none: `-` (a timeout), a TLS hello on a plain port, other bytes. */
function parseRequest(request: string): Asked {
  const parts = REQUEST.exec(request);
  if (parts === null) return {};
  const [, method = "", target = "", protocol] = parts;
  const known = { method, ...(protocol === undefined ? {} : { protocol }) };
  // A proxy is asked for whole addresses, and CONNECT for a host and port only.
  const absolute = /^[a-z][a-z0-9+.-]*:\/\/([^/?#]*)([^?#]*)/i.exec(target);
  if (absolute !== null) return { ...known, host: bareHost(absolute[1] ?? ""), path: absolute[2] || "/" };
  if (method === "CONNECT") return { ...known, host: bareHost(target) };
  return { ...known, path: pathOf(target) };
}

function bareHost(authority: string): string {
  return authority
    .replace(/^[^@]*@/, "")
    .replace(/:\d*$/, "")
    .toLowerCase();
}

interface Who {
  readonly client: string;
  readonly host?: string;
}

/** `address identity user`, or `host:port address identity user`; a user's name may hold blanks. */
function parseWho(text: string): Who | undefined {
  const parts = text.split(" ");
  const [first = "", second = ""] = parts;
  if (parts.length < 3 || first === "") return undefined;
  const isVhost = parts.length > 3 && isIP(first) === 0 && isIP(second) !== 0;
  return isVhost ? { client: second, host: bareHost(first) } : { client: first };
}

/** Milliseconds, by the zone that the line itself names. */
function parseTime(text: string): number | undefined {
  const parts = TIME.exec(text);
  if (parts === null) return undefined;
  const [, day, name = "", year, hour, minute, second, fraction = "", sign, zoneHours, zoneMinutes] = parts;
  const month = MONTHS.indexOf(name);
  const days = new Date(Date.UTC(Number(year), month + 1, 0)).getUTCDate();
  // A leap second is written as 60; it is the next one for every clock that counts without them.
  const inRange = Number(hour) < 24 && Number(minute) < 60 && Number(second) <= 60;
  if (month < 0 || Number(day) < 1 || Number(day) > days || !inRange) return undefined;
  const local = Date.UTC(Number(year), month, Number(day), Number(hour), Number(minute), Number(second));
  const zoneMs = (Number(zoneHours) * 60 + Number(zoneMinutes)) * 60_000;
  const ms = Number(fraction.padEnd(3, "0").slice(0, 3));
  return local + ms - (sign === "-" ? -zoneMs : zoneMs);
}

/** Quotes, backslashes and tabs only: other escapes are the log's spelling of bytes that are no text. */
function unquote(text: string): string {
  if (!text.includes("\\")) return text;
  return text.replace(ESCAPE, (_, code: string) => {
    if (code === "t") return "\t";
    return code === '"' || code === "x22" ? '"' : "\\";
  });
}

function tailFault(rest: string): string {
  if (rest.trim() === "") return "no referrer and user agent (--format common reads such lines)";
  return "the referrer or user agent is not a closed pair of quotes (a line cut short?)";
}
