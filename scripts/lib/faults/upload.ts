/**
 * SIGKILL in the middle of large uploads, of Logpush (short enough to be held, and streamed) and of observations. The client
 * sends the same body again, with the same key where there is one, until it is answered; then every record counts once. The
 * control is a shard that counts what comes again; it must be found out.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { Draw } from "../../../src/simulate/random.ts";
import { type Answer, ja4Of, observationsPath, summaryOf } from "../../../test/support/client.ts";
import { atLeast, balanced, exactly, type Fault, type FaultContext, shown } from "./fault.ts";
import { counted, globOf } from "./ledger.ts";
import { FaultServer } from "./server.ts";
import { type Variant, Workshop } from "./workshop.ts";

const SITE = "shop";
const SHARDS = 4;
const SEED = 20_261_124;
const FINGERPRINTS = 250;
/** 50,000 records, which are the most that an upload of observations has; in plain text over the 8 MiB that are held. */
const PER_FINGERPRINT = 200;
const RECORDS = FINGERPRINTS * PER_FINGERPRINT;
const STREAMED = "logpush, streamed";
const KINDS = ["logpush", STREAMED, "observations"] as const;
type Kind = (typeof KINDS)[number];
/** Times that one upload is cut before it is let through. */
const CUTS_MAX = 2;
/**
 * A streamed upload is cut when so much of it counts at most; the others, which are counted at once, after some part of the
 * time that one takes.
 */
const SHARE_MAX = 0.4;
const ANSWER_TRIES = 20;

export const upload: Fault = {
  name: "upload",
  about: "SIGKILL in the middle of large uploads, which are sent again: every record counts once",
  run: async (context) => {
    const outcome = await uploadRun({}, context.quick ? 6 : 24, context);
    return [
      shown("uploads / records each", `${outcome.uploads} / ${RECORDS}`),
      shown("kills", outcome.kills),
      atLeast("uploads cut without an answer", outcome.cut, 1),
      atLeast("of those on disk in part", outcome.inPart, 1),
      exactly("records of acknowledged uploads lost", outcome.lost, 0),
      exactly("records counted twice", outcome.doubled, 0),
      exactly("repeats of an acknowledged upload with other numbers", outcome.changed, 0),
      balanced("records", ["sent", outcome.sent], ["in the 1h windows", outcome.inWindows]),
      balanced("records", ["sent", outcome.sent], ["accepted since the start", outcome.accepted]),
    ];
  },
};

export const uploadRecount: Fault = {
  name: "upload-recount",
  about: "the control: a shard that counts what comes again must be found out",
  run: async (context) => {
    const recounts = {
      file: "src/ingest/sort-call.ts",
      from: 'if (age === "taken") duplicate',
      to: "if (other !== undefined) duplicate",
    };
    const outcome = await uploadRun({ replacements: [recounts] }, context.quick ? 5 : 12, context);
    return [
      shown("kills", outcome.kills),
      atLeast("uploads on disk in part", outcome.inPart, 1),
      atLeast("records counted twice", outcome.doubled, 1),
    ];
  },
};

interface Outcome {
  uploads: number;
  kills: number;
  cut: number;
  inPart: number;
  lost: number;
  doubled: number;
  changed: number;
  sent: number;
  inWindows: number;
  accepted: number;
}

/** A large body with fingerprints of its own, of each so many records. */
interface Upload {
  readonly number: number;
  readonly kind: Kind;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array<ArrayBuffer>;
}

async function uploadRun(variant: Variant, uploads: number, { log }: FaultContext): Promise<Outcome> {
  const workshop = new Workshop();
  const server = await FaultServer.open({
    root: await workshop.bundle(variant),
    ...{ disk: workshop.folder(), shards: SHARDS },
  });
  const outcome: Outcome = {
    ...{ uploads, kills: 0, cut: 0, inPart: 0, lost: 0, doubled: 0, changed: 0 },
    ...{ sent: 0, inWindows: 0, accepted: 0 },
  };
  // The first of each kind are not cut: they say how long one takes.
  const takesMs = new Map<Kind, number>();
  try {
    for (let number = 0; number < uploads; number++) {
      const one = makeUpload(number, KINDS[number % KINDS.length]!);
      await oneUpload(server, one, takesMs, outcome);
      server.client.answers.length = 0;
      log(`${number + 1} uploads, ${outcome.kills} kills, ${outcome.inPart} times on disk in part`);
    }
    // Once more over all of them: a later kill must not undo what an earlier one left.
    for (let number = 0; number < uploads; number++) await compare(server, number, outcome, true);
    const summary = await summaryOf(server.client, SITE);
    outcome.inWindows = summary.windows["1h"].reqs;
    outcome.accepted = summary.since_start.accepted ?? 0;
    return outcome;
  } finally {
    await server.kill();
    workshop.close();
  }
}

/** Cut, begun again and cut, let through, sent once more; compared after each. */
async function oneUpload(
  server: FaultServer,
  one: Upload,
  takesMs: Map<Kind, number>,
  outcome: Outcome,
): Promise<void> {
  const draw = new Draw("upload", SEED, one.number);
  outcome.sent += RECORDS;
  const typicalMs = takesMs.get(one.kind);
  let first: Answer | undefined;
  for (
    let cuts = typicalMs === undefined ? 0 : 1 + draw.int(CUTS_MAX);
    cuts > 0 && first === undefined;
    cuts--
  ) {
    const at = draw.uniform();
    const due = one.kind === STREAMED ? counts(server, at * SHARE_MAX * RECORDS) : sleep(at * typicalMs!);
    first = await sendAndKill(server, one, due);
    outcome.kills++;
    if (first === undefined) outcome.cut++;
    await server.start();
    await compare(server, one.number, outcome, first !== undefined);
  }
  const fromMs = performance.now();
  first ??= await answered(server, one);
  if (typicalMs === undefined) takesMs.set(one.kind, performance.now() - fromMs);
  await compare(server, one.number, outcome, true);
  const again = await answered(server, one);
  if (!isSame(first, again)) outcome.changed++;
  await compare(server, one.number, outcome, true);
}

/** Ends the server when it is due, or the upload is answered; answers its 202, if it got that far. */
async function sendAndKill(
  server: FaultServer,
  one: Upload,
  due: Promise<void>,
): Promise<Answer | undefined> {
  const sending = send(server, one);
  await Promise.race([due, sending]);
  await server.kill();
  const answer = await sending;
  await due;
  return answer?.status === 202 ? answer : undefined;
}

/** Resolves when so many records more count than now, or the server is gone. */
async function counts({ client }: FaultServer, records: number): Promise<void> {
  const count = async () => (await summaryOf(client, SITE)).windows["1h"].reqs;
  try {
    const had = await count();
    while ((await count()) <= had + records);
  } catch {
    // It was killed meanwhile.
  }
}

/** `undefined` when the connection broke. */
function send({ client }: FaultServer, { path, headers, body }: Upload): Promise<Answer | undefined> {
  return client.post(path, { headers, body }).catch(() => undefined);
}

async function answered(server: FaultServer, one: Upload): Promise<Answer> {
  for (let tries = 0; tries < ANSWER_TRIES; tries++) {
    const answer = await send(server, one);
    if (answer?.status === 202) return answer;
  }
  throw new Error(`upload ${one.number} was not taken in ${ANSWER_TRIES} tries`);
}

/** Two answers with the same numbers; of Logpush the repeat says that it is one. */
function isSame(first: Answer, again: Answer): boolean {
  const numbers = ({ text }: Answer) =>
    JSON.stringify({ ...(JSON.parse(text) as object), duplicate: undefined });
  const isTold = !again.path.endsWith("/logpush") || again.text.includes('"duplicate":true');
  return isTold && numbers(first) === numbers(again);
}

/** Adds what is missing of an acknowledged upload, and what of any upload is there more than once. */
async function compare(
  server: FaultServer,
  number: number,
  outcome: Outcome,
  isAcknowledged: boolean,
): Promise<void> {
  const found = await counted(server.client, SITE, globOf(number));
  const times = ja4sOf(number).map((ja4) => found.get(ja4) ?? 0);
  const there = times.reduce((sum, n) => sum + n, 0);
  for (const n of times) {
    outcome.doubled += Math.max(0, n - PER_FINGERPRINT);
    if (isAcknowledged) outcome.lost += Math.max(0, PER_FINGERPRINT - n);
  }
  if (!isAcknowledged && there > 0 && there < RECORDS) outcome.inPart++;
}

function ja4sOf(number: number): string[] {
  const head = globOf(number).slice(0, -2);
  return Array.from({ length: FINGERPRINTS }, (_, i) => ja4Of(i, head));
}

function makeUpload(number: number, kind: Kind): Upload {
  // A little ago, so that no clock on the way finds it ahead of its time.
  const baseMs = Date.now() - 2_000;
  const ja4s = ja4sOf(number);
  const lines = Array.from({ length: RECORDS }, (_, i) => {
    const ms = baseMs - (i % 1_000);
    const [ja4, ip] = [ja4s[i % FINGERPRINTS], `10.0.${i % 251}.${i % 241}`];
    if (kind === "observations")
      return JSON.stringify({ timestamp: ms, ja4, client_ip: ip, path: `/p/${i % 97}` });
    return JSON.stringify({
      ...{ EdgeStartTimestamp: ms * 1_000_000, JA4: ja4, ClientIP: ip, ClientRequestPath: `/p/${i % 97}` },
      ...{ ClientRequestHost: "www.example.com", ClientRequestMethod: "GET", EdgeResponseStatus: 200 },
      RayID: i.toString(16).padStart(16, "0"),
    });
  });
  const text = Buffer.from(`${lines.join("\n")}\n`);
  const isPlain = kind === STREAMED;
  const headers = {
    "content-type": "application/x-ndjson",
    ...(isPlain ? {} : { "content-encoding": "gzip" }),
    ...(kind === "observations" ? { "idempotency-key": `upload-${number}` } : {}),
  };
  return {
    ...{ number, kind, headers, body: Uint8Array.from(isPlain ? text : gzipSync(text, { level: 1 })) },
    path: kind === "observations" ? observationsPath(SITE) : `/v1/sites/${SITE}/logpush`,
  };
}
