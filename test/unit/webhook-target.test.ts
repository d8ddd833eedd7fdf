/** Where a webhook may go. Only the validator is asked: nothing is fetched. */
import { describe, expect, it } from "vitest";
import { targetFault } from "../../src/webhooks/target.ts";

const RULES = { ownHosts: ["tide.example.com"], loopback: false };
const fault = (text: string, rules: Partial<typeof RULES> = {}) => targetFault(text, { ...RULES, ...rules });

const GOOD = [
  "https://hooks.slack.com/services/T000/B000/XXXX",
  "https://events.pagerduty.com/v2/enqueue",
  "https://example.com",
  "https://EXAMPLE.com/Path?query=1&x=%20",
  "https://example.com:443/x",
  "https://ops-1.eu.example.co.uk/hook",
  "https://bücher.example/hook",
  "https://xn--bcher-kva.example/hook",
  "https://10.example.com/x",
  "https://localhost.example.com/x",
  "https://internal.example.com/x",
  "https://mylocal.example/x",
];

const BAD: Record<string, string[]> = {
  "absolute URL": [
    "",
    "example.com",
    "//example.com/x",
    "/hook",
    "https://",
    "https:///",
    "https://?x",
    "null",
  ],
  "https://": [
    ...[
      "http://example.com",
      "HTTP://example.com",
      "ftp://example.com",
      "file:///etc/passwd",
      "ws://example.com",
    ],
    ...[
      "gopher://example.com",
      "data:text/plain,x",
      "javascript:alert(1)",
      "wss://example.com",
      "blob:https://a.b/c",
    ],
  ],
  "port 443": [
    ...[
      "https://example.com:80",
      "https://example.com:8443/",
      "https://example.com:22",
      "https://example.com:0",
    ],
    "https://example.com:65535/x",
  ],
  credentials: [
    "https://user@example.com/",
    "https://user:pass@example.com/",
    "https://:p@example.com",
    "https://a%40b@c.example",
  ],
  fragment: ["https://example.com/#x", "https://example.com/#"],
  "spaces, control characters": [
    ...[" https://example.com", "https://example.com ", "https://exa mple.com", "https://example.com/a b"],
    ...[
      "https://example.com/\n",
      "https://exam\tple.com",
      "\u0000https://example.com",
      "https://example.com/\r\nx: y",
    ],
    ...[
      "https:\\\\example.com",
      "https://example.com\\@127.0.0.1/",
      "https://example.com/\u007f",
      "https://example.com/\u0085",
    ],
  ],
  "not an address": [
    // Dotted, short, decimal, octal, hexadecimal, mixed, full-width, ideographic and percent-encoded forms.
    ...[
      "https://127.0.0.1",
      "https://127.0.0.1:443/x",
      "https://127.1",
      "https://127.0.1",
      "https://2130706433",
    ],
    ...[
      "https://0x7f000001",
      "https://0x7f.0.0.1",
      "https://0177.0.0.1",
      "https://017700000001",
      "https://0x7f.1",
    ],
    ...[
      "https://0",
      "https://0.0.0.0",
      "https://00000.0.0.0",
      "https://10.0.0.1",
      "https://10.1",
      "https://172.16.0.1",
    ],
    ...[
      "https://192.168.0.1",
      "https://192.168.257",
      "https://169.254.169.254/latest/meta-data/",
      "https://2852039166",
    ],
    ...[
      "https://0xa9fea9fe",
      "https://0251.0376.0251.0376",
      "https://100.64.0.1",
      "https://224.0.0.1",
      "https://255.255.255.255",
    ],
    ...[
      "https://8.8.8.8",
      "https://1.1.1.1/dns-query",
      "https://１２７.０.０.１",
      "https://127。0。0。1",
      "https://①②⑦.0.0.1",
    ],
    ...["https://127．0．0．1", "https://127.0.0.1.", "https://2130706433.", "https://0x7f.0x0.0x0.0x1"],
    ...[
      "https://[::1]",
      "https://[::]",
      "https://[::ffff:127.0.0.1]",
      "https://[::ffff:7f00:1]",
      "https://[::127.0.0.1]",
    ],
    ...[
      "https://[fe80::1]",
      "https://[fc00::1]",
      "https://[fd00:ec2::254]",
      "https://[64:ff9b::7f00:1]",
      "https://[2002:7f00:1::]",
    ],
    ...[
      "https://[2606:4700::1111]",
      "https://[0:0:0:0:0:0:0:1]",
      "https://[0000:0000:0000:0000:0000:0000:0000:0001]",
    ],
  ],
  "percent-encoding": [
    ...[
      "https://%31%32%37.0.0.1",
      "https://127%2e0%2e0%2e1",
      "https://exa%6dple.com",
      "https://localhos%74",
      "https://%6c%6f%63al.example",
    ],
  ],
  "full host name": [
    "https://intranet",
    "https://router/x",
    "https://db",
    "https://localhost",
    "https://LOCALHOST/",
    "https://ｌｏｃａｌｈｏｓｔ",
  ],
  "private network": [
    ...[
      "https://foo.localhost",
      "https://printer.local",
      "https://metadata.google.internal/computeMetadata/v1/",
    ],
    ...[
      "https://db.internal",
      "https://nas.lan",
      "https://x.home.arpa",
      "https://x.home",
      "https://x.corp",
      "https://a.b.intranet",
    ],
    ...[
      "https://x.localdomain",
      "https://1.0.0.127.in-addr.arpa",
      "https://duskgytldkxiuqc6.onion",
      "https://x.private",
      "https://x.invalid",
    ],
    "https://METADATA.GOOGLE.INTERNAL",
  ],
  "any address": [
    ...[
      "https://127.0.0.1.nip.io",
      "https://10-0-0-1.sslip.io",
      "https://localtest.me",
      "https://a.lvh.me",
      "https://nip.io",
    ],
    "https://7f000001.c0a80001.rbndr.us",
  ],
  "with a dot": ["https://example.com.", "https://localhost./", "https://example.com./x"],
  "no host name": [
    ...[
      "https://exam_ple.com",
      "https://-example.com",
      "https://example-.com",
      "https://a..b.com",
      "https://.example.com",
    ],
    `https://${"a".repeat(64)}.example.com`,
    `https://${"abcdefgh.".repeat(29)}com`,
  ],
  "HelloTide itself": ["https://tide.example.com/v1/sites", "https://TIDE.example.com"],
  "2048 characters": [`https://example.com/${"x".repeat(2_048)}`],
};

describe("targets of webhooks", () => {
  it.each(GOOD)("HOOK-1: %s is let through", (text) => {
    expect(fault(text)).toBeUndefined();
  });

  const bad = Object.entries(BAD).flatMap(([why, texts]) => texts.map((text) => ({ why, text })));
  it.each(bad)("HOOK-2: $text is refused: $why", ({ why, text }) => {
    expect(fault(text)).toMatch(why === "absolute URL" || why === "no host name" ? /URL|host/ : why);
  });

  it("HOOK-2: a hundred spellings and more are refused", () => {
    expect(new Set(bad.map(({ text }) => text)).size).toBeGreaterThanOrEqual(100);
  });

  it("HOOK-3: the switch for tests lets loopback through, and nothing else", () => {
    const loopback = (text: string) => fault(text, { loopback: true });
    for (const text of [
      "http://127.0.0.1:8080/x",
      "http://localhost:1/",
      "http://[::1]:9/",
      "https://127.0.0.1/",
    ]) {
      expect(loopback(text), text).toBeUndefined();
      expect(fault(text), text).toBeDefined();
    }
    for (const text of [
      "http://127.0.0.2/",
      "http://10.0.0.1/",
      "http://user@127.0.0.1/",
      "ftp://127.0.0.1/",
      "http://example.com/",
    ])
      expect(loopback(text), text).toBeDefined();
  });
});
