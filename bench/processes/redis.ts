/**
 * Observations into Redis over one socket: a HINCRBY and five PFADD each, in pipelines, a few of which are always on their
 * way so that the server never waits for the client. What is sent was encoded before, so the client's share is writing and
 * counting answers; both processes' CPU is told. Prints a RedisResult.
 */
import { connect } from "node:net";
import { ja4s, type Observation, observations } from "../lib/observations.ts";

export interface RedisInput {
  readonly port: number;
  readonly pool: number;
  /** Observations a pipeline. */
  readonly batch: number;
  readonly forMs: number;
}

export interface RedisResult {
  readonly observations: number;
  /** Answered; whether they are durable is the server's setting. */
  readonly durable_per_s: number;
  /** The server's CPU. */
  readonly cpu_ns: number;
  readonly client_cpu_ns: number;
  readonly bytes_per_observation: number;
  readonly wrong: number;
}

const COMMANDS_PER_OBSERVATION = 6;
const ON_THEIR_WAY = 4;
const LINE_END = 10;
const ERROR = 45;

const { port, pool, batch, forMs } = JSON.parse(process.argv[2] ?? "") as RedisInput;
const names = ja4s();
const list = observations(pool);
const pipelines: Buffer[] = [];
for (let from = 0; from < pool; from += batch) {
  pipelines.push(
    Buffer.from(
      list
        .slice(from, from + batch)
        .map(commandsOf)
        .join(""),
    ),
  );
}

function commandsOf({ fp, ip, ua, path, host, asn }: Observation): string {
  const ja4 = names[fp]!;
  const sets: [string, number][] = [
    ["ip", ip],
    ["ua", ua],
    ["path", path],
    ["host", host],
    ["asn", asn],
  ];
  return [
    command("HINCRBY", `fp:${ja4}`, "reqs", "1"),
    ...sets.map(([set, value]) => command("PFADD", `${set}:${ja4}`, String(value))),
  ].join("");
}

/** A command in Redis' own form (RESP2): an array of strings with their lengths. */
function command(...words: string[]): string {
  return `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join("")}`;
}

const socket = connect({ host: "127.0.0.1", port, noDelay: true });
let answers = 0;
let errors = 0;
let waiting: { readonly until: number; readonly done: () => void } | undefined;
/** An answer that is wanted as text. */
let asked: { got: string; readonly done: (text: string) => void } | undefined;
socket.on("data", (chunk) => {
  if (asked !== undefined) {
    asked.got += chunk.toString();
    const text = bulkText(asked.got);
    if (text !== undefined) asked.done(text);
    return;
  }
  // Every answer to these commands is one line, and a count is never negative: a minus is an error.
  for (let at = chunk.indexOf(LINE_END); at >= 0; at = chunk.indexOf(LINE_END, at + 1)) answers++;
  if (chunk.includes(ERROR)) errors++;
  if (waiting !== undefined && answers >= waiting.until) waiting.done();
});

/** A bulk string that is there whole: its length, a line's end, the text, a line's end. */
function bulkText(got: string): string | undefined {
  const head = /^\$(\d+)\r\n/.exec(got);
  if (head === null) return undefined;
  const [from, length] = [head[0].length, Number(head[1])];
  return got.length >= from + length + 2 ? got.slice(from, from + length) : undefined;
}

/** Until so many lines of answers have come. */
function answered(until: number): Promise<void> {
  if (answers >= until) return Promise.resolve();
  return new Promise((resolve) => {
    waiting = { until, done: resolve };
  });
}

let sent = 0;
/** Sends pipelines while `goOn`, then waits for every answer. */
async function send(goOn: () => boolean): Promise<void> {
  const lines = () => sent * batch * COMMANDS_PER_OBSERVATION;
  while (goOn()) {
    socket.write(pipelines[sent % pipelines.length]!);
    sent++;
    await answered(lines() - ON_THEIR_WAY * batch * COMMANDS_PER_OBSERVATION);
  }
  await answered(lines());
}

/** Sends one command whose answer is text; nothing else may be on its way. */
async function ask(...words: string[]): Promise<string> {
  const text = await new Promise<string>((done) => {
    asked = { got: "", done };
    socket.write(command(...words));
  });
  asked = undefined;
  return text;
}

/** CPU of the server so far, ms. */
async function serverCpuMs(): Promise<number> {
  const info = await ask("INFO", "cpu");
  const seconds = ["used_cpu_sys", "used_cpu_user"].map((name) =>
    Number(new RegExp(`^${name}:([\\d.]+)`, "m").exec(info)?.[1]),
  );
  return (seconds[0]! + seconds[1]!) * 1_000;
}

// Once over all of it: every set is there before the clock runs.
await send(() => sent < pipelines.length);
const [serverBefore, clientBefore, sentBefore] = [await serverCpuMs(), process.cpuUsage(), sent];
const from = performance.now();
await send(() => performance.now() - from < forMs);
const ms = performance.now() - from;
const client = process.cpuUsage(clientBefore);
const serverMs = (await serverCpuMs()) - serverBefore;
const done = (sent - sentBefore) * batch;

const times = (i: number) => Math.floor(sent / pipelines.length) + (i < sent % pipelines.length ? 1 : 0);
const should = list.reduce((sum, { fp }, i) => sum + (fp === 0 ? times(Math.floor(i / batch)) : 0), 0);
const is = Number(await ask("HGET", `fp:${names[0]}`, "reqs"));
if (is !== should) process.stderr.write(`redis: ${is} requests of fingerprint 0 instead of ${should}\n`);

const result: RedisResult = {
  observations: done,
  durable_per_s: (done * 1_000) / ms,
  cpu_ns: (serverMs * 1e6) / done,
  client_cpu_ns: ((client.user + client.system) * 1e3) / done,
  bytes_per_observation: pipelines.reduce((sum, { length }) => sum + length, 0) / pool,
  wrong: errors + (is === should ? 0 : 1),
};
process.stdout.write(JSON.stringify(result));
socket.destroy();
