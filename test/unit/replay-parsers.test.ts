/** Log lines as they are found: whole ones become records, broken ones are named. */
import { describe, expect, it } from "vitest";
import { parseCombined, parseCommon } from "../../scripts/lib/replay/access-log.ts";
import { guessFormat } from "../../scripts/lib/replay/format.ts";
import { parseLogpush, parseNdjson } from "../../scripts/lib/replay/json-log.ts";
import type { LineParser } from "../../scripts/lib/replay/record.ts";

const AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:27.0) Gecko/20100101 Firefox/27.0";
const TIME = "[17/May/2015:10:05:03 +0000]";

function fields(parser: LineParser, line: string): Record<string, unknown> {
  const parsed = parser(line);
  if (!("record" in parsed)) throw new Error(JSON.stringify(parsed));
  return { ...parsed.record.fields };
}

function timeOf(parser: LineParser, line: string): string {
  const parsed = parser(line);
  if (!("record" in parsed)) throw new Error(JSON.stringify(parsed));
  return new Date(parsed.record.timeMs).toISOString();
}

function fault(parser: LineParser, line: string): string {
  const parsed = parser(line);
  return "fault" in parsed ? parsed.fault : "none";
}

/** A combined line around a request. */
const asked = (request: string, status = "200", agent = AGENT) =>
  `192.0.2.1 - - ${TIME} "${request}" ${status} 235 "-" "${agent}"`;

describe("combined and common", () => {
  it("REPLAY-1: a line becomes address, agent, method, path without query, protocol and status", () => {
    const line = `46.105.14.53 - frank ${TIME} "GET /blog/tags/puppet?flav=rss20 HTTP/1.1" 200 14872 "http://a/" "${AGENT}"`;
    const common = {
      client_ip: "46.105.14.53",
      method: "GET",
      path: "/blog/tags/puppet",
      http_protocol: "HTTP/1.1",
      status: 200,
    };
    expect(fields(parseCombined, line)).toEqual({ ...common, user_agent: AGENT });
    expect(fields(parseCommon, line)).toEqual(common);
  });

  it("REPLAY-1: real lines that are odd", () => {
    // nginx on a TLS hello at its plain port; Apache on a timeout; a scanner's bytes; HTTP/0.9; a proxy request.
    expect(fields(parseCombined, asked("\\x16\\x03\\x01\\x02", "400", "-"))).toEqual({
      client_ip: "192.0.2.1",
      status: 400,
    });
    expect(fields(parseCombined, asked("-", "408", "-"))).toEqual({ client_ip: "192.0.2.1", status: 408 });
    expect(fields(parseCombined, asked("\\n", "400"))).toEqual({
      client_ip: "192.0.2.1",
      status: 400,
      user_agent: AGENT,
    });
    expect(fields(parseCombined, asked("GET /"))).toMatchObject({ method: "GET", path: "/" });
    expect(fields(parseCombined, asked("GET /a b c HTTP/1.1"))).toMatchObject({
      path: "/a b c",
      http_protocol: "HTTP/1.1",
    });
    expect(fields(parseCombined, asked("GET http://Example.org:80/x?y HTTP/1.1"))).toMatchObject({
      host: "example.org",
      path: "/x",
    });
    expect(fields(parseCombined, asked("CONNECT example.org:443 HTTP/1.1"))).toMatchObject({
      method: "CONNECT",
      host: "example.org",
    });
    expect(fields(parseCombined, asked("GET / HTTP/1.1", "000"))).not.toHaveProperty("status");
    expect(fields(parseCombined, asked("GET / HTTP/1.1", "-"))).not.toHaveProperty("status");
  });

  it("REPLAY-1: escaped quotes and backslashes belong to their field", () => {
    const agent = String.raw`Mozilla/5.0 \"quoted\" \\ \x22nginx\x22 \xe4`;
    expect(fields(parseCombined, asked("GET / HTTP/1.1", "200", agent)).user_agent).toBe(
      String.raw`Mozilla/5.0 "quoted" \ "nginx" \xe4`,
    );
    const path = fields(parseCombined, asked(String.raw`GET /\"><script> HTTP/1.1`)).path;
    expect(path).toBe('/"><script>');
  });

  it("REPLAY-1: IPv6, host names, a virtual host first, a user's name with blanks, further fields at the end", () => {
    const rest = `${TIME} "GET / HTTP/2.0" 200 1 "-" "curl/8.5.0"`;
    expect(fields(parseCombined, `2001:db8::1 - - ${rest}`).client_ip).toBe("2001:db8::1");
    expect(fields(parseCombined, `host.example.org - - ${rest}`)).not.toHaveProperty("client_ip");
    expect(fields(parseCombined, `www.example.org:443 192.0.2.7 - - ${rest}`)).toMatchObject({
      client_ip: "192.0.2.7",
      host: "www.example.org",
    });
    expect(fields(parseCombined, `192.0.2.7 - John von Neumann ${rest}`)).toMatchObject({
      client_ip: "192.0.2.7",
    });
    expect(fields(parseCombined, `192.0.2.7 - - ${rest} "-" 0.003 "10.0.0.1"`).user_agent).toBe("curl/8.5.0");
  });

  it("REPLAY-2: a line that is not whole is named with its fault, never half a record", () => {
    // Line 8899 of a real log: the agent's last quote is missing.
    expect(fault(parseCombined, asked("GET / HTTP/1.1").slice(0, -1))).toMatch(/not a closed pair of quotes/);
    expect(fault(parseCombined, `192.0.2.1 - - ${TIME} "GET / HTTP/1.1" 404 196`)).toMatch(/--format common/);
    expect(fault(parseCombined, asked("GET / HTTP/1.1").replace("May", "Mai"))).toMatch(/time/);
    expect(fault(parseCombined, asked("GET / HTTP/1.1").replace("17/May", "31/Jun"))).toMatch(/time/);
    expect(fault(parseCombined, "Nov 23 10:00:00 host kernel: up")).toMatch(/not an access log line/);
    expect(fault(parseCombined, "")).toMatch(/not an access log line/);
  });

  it("REPLAY-2: a hostile line of a megabyte takes no longer than a long one", () => {
    const from = performance.now();
    for (const filler of ['"', "\\", "[", " ", '\\"', "a "]) {
      fault(parseCombined, `192.0.2.1 - - ${TIME} "${filler.repeat(1_000_000 / filler.length)}`);
      fault(parseCombined, filler.repeat(1_000_000 / filler.length));
    }
    expect(performance.now() - from).toBeLessThan(2_000);
  });

  it("REPLAY-3: the time zone of the line is honoured", () => {
    const at = (time: string) => timeOf(parseCommon, `192.0.2.1 - - [${time}] "GET / HTTP/1.1" 200 1`);
    expect(at("25/Oct/2015:04:11:25 +0100")).toBe("2015-10-25T03:11:25.000Z");
    expect(at("10/Oct/2000:13:55:36 -0730")).toBe("2000-10-10T21:25:36.000Z");
    expect(at("31/Dec/2016:23:59:60 +0000")).toBe("2017-01-01T00:00:00.000Z");
    expect(at("10/Oct/2000:13:55:36.250 +0000")).toBe("2000-10-10T13:55:36.250Z");
  });
});

describe("JSON lines", () => {
  it("REPLAY-4: an observation keeps its fields; its time may be a number or RFC 3339", () => {
    const observation = { timestamp: 1_431_857_103_000, ja4: "x".padEnd(25, "0"), path: "/a?b", other: 1 };
    const { timestamp, ...rest } = observation;
    expect(parseNdjson(JSON.stringify(observation))).toEqual({ record: { timeMs: timestamp, fields: rest } });
    expect(timeOf(parseNdjson, '{"timestamp":"2015-05-17T12:05:03+02:00"}')).toBe("2015-05-17T10:05:03.000Z");
    for (const bad of ["[1]", "{", "null", '{"timestamp":1431857103}', '{"timestamp":"now"}', "{}"]) {
      expect(fault(parseNdjson, bad), bad).not.toBe("none");
    }
  });

  it("REPLAY-4: a line of Traefik's JSON access log", () => {
    const line = {
      ClientAddr: "172.17.0.1:39490",
      ClientHost: "172.17.0.1",
      DownstreamStatus: 404,
      OriginStatus: 200,
      RequestHost: "test.docker.localhost",
      RequestMethod: "GET",
      RequestPath: "/594VAEoi.dtd?x=1",
      RequestProtocol: "HTTP/1.1",
      StartUTC: "2021-12-08T14:02:43.464763557Z",
      "request_User-Agent": "Nikto",
    };
    expect(timeOf(parseNdjson, JSON.stringify(line))).toBe("2021-12-08T14:02:43.464Z");
    expect(fields(parseNdjson, JSON.stringify(line))).toEqual({
      client_ip: "172.17.0.1",
      host: "test.docker.localhost",
      user_agent: "Nikto",
      method: "GET",
      path: "/594VAEoi.dtd",
      http_protocol: "HTTP/1.1",
      status: 404,
    });
  });

  const EDGE = {
    EdgeStartTimestamp: "2026-11-23T10:00:00Z",
    JA4: "t13d1516h2_8daaf6152771_02713d6af862",
    JA4Signals: { browser_ratio_1h: 0.93 },
    ClientIP: "2001:db8::1",
    ClientASN: 64_500,
    ClientRequestUserAgent: AGENT,
    ClientRequestPath: "/p",
    ClientRequestURI: "/p?q",
    ClientRequestHost: "www.example.com",
    ClientRequestMethod: "POST",
    ClientRequestProtocol: "HTTP/2",
    EdgeResponseStatus: 403,
    CacheCacheStatus: "dynamic",
    BotScore: 1,
    BotScoreSrc: "Heuristics",
    BotDetectionIDs: [152_120_193],
    VerifiedBotCategory: "",
    RayID: "8f00000000000001",
  };

  it("REPLAY-5: Logpush http_requests become observations under our names", () => {
    expect(fields(parseLogpush, JSON.stringify(EDGE))).toEqual({
      ja4: EDGE.JA4,
      ja4_signals: EDGE.JA4Signals,
      client_ip: "2001:db8::1",
      asn: 64_500,
      user_agent: AGENT,
      path: "/p",
      host: "www.example.com",
      method: "POST",
      http_protocol: "HTTP/2",
      status: 403,
      cache_status: "dynamic",
      bot_score: 1,
      bot_score_src: "Heuristics",
      detection_ids: [152_120_193],
      verified_bot: false,
      ray_id: "8f00000000000001",
    });
    const bot = {
      ...EDGE,
      VerifiedBotCategory: "Search Engine Crawler",
      EdgeResponseStatus: 0,
      ClientASN: "64500",
    };
    const found = fields(parseLogpush, JSON.stringify(bot));
    expect(found.verified_bot).toBe(true);
    expect(found).not.toHaveProperty("status");
    expect(found).not.toHaveProperty("asn");
  });

  it("REPLAY-5: unixnano, unix, rfc3339, to the millisecond", () => {
    const at = (value: string) =>
      timeOf(parseLogpush, `{"ClientIP":"192.0.2.1", "EdgeStartTimestamp" : ${value}}`);
    // As a double this is …999,999,872: the millisecond before.
    expect(at("1700000000001000000")).toBe("2023-11-14T22:13:20.001Z");
    for (let ms = 0; ms < 1_000; ms++) {
      expect(at(`${1_700_000_000_000 + ms}000000`)).toBe(new Date(1_700_000_000_000 + ms).toISOString());
    }
    expect(at("1700000000999999999")).toBe("2023-11-14T22:13:20.999Z");
    expect(at("1700000000")).toBe("2023-11-14T22:13:20.000Z");
    expect(at('"1700000000"')).toBe("2023-11-14T22:13:20.000Z");
    expect(at('"2023-11-14T22:13:20Z"')).toBe("2023-11-14T22:13:20.000Z");
    expect(fault(parseLogpush, '{"ClientIP":"192.0.2.1"}')).toMatch(/EdgeStartTimestamp/);
  });

  it("REPLAY-5: Worker subrequests and the validation upload are no requests", () => {
    expect(parseLogpush(JSON.stringify({ ...EDGE, WorkerSubrequest: true }))).toEqual({
      skipped: "WorkerSubrequest",
    });
    expect(parseLogpush('{"content":"tests"}')).toEqual({ skipped: "validation upload" });
  });
});

describe("guessing", () => {
  it("REPLAY-6: the format is guessed from the first lines, broken ones among them or not", () => {
    const combined = asked("GET / HTTP/1.1");
    const common = `192.0.2.1 - - ${TIME} "GET / HTTP/1.1" 404 196`;
    expect(guessFormat([combined, combined.slice(0, -1), combined])).toBe("combined");
    expect(guessFormat([common, common])).toBe("common");
    expect(guessFormat(['{"timestamp":1}', "{"])).toBeUndefined();
    expect(guessFormat(['{"timestamp":1}', '{"timestamp":2}', "{"])).toBe("ndjson");
    expect(guessFormat(['{"EdgeStartTimestamp":1,"ClientIP":"192.0.2.1"}'])).toBe("logpush");
    expect(guessFormat(["what is this", "and that"])).toBeUndefined();
    expect(guessFormat([])).toBeUndefined();
  });
});
