/** A receiver of webhooks on loopback that notes every try, and what of it is not as Standard Webhooks says. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { Webhook } from "standardwebhooks";

/** One try of a message. */
export interface Received {
  /** `webhook-id`: the same for every try of one event. */
  readonly messageId: string;
  /** Of the event in the body. */
  readonly eventId: string;
  readonly sequence: number;
  readonly type: string;
  readonly subject: string;
  /** Whether it was answered with 2xx while the sender still listened: what cannot be answered is undone. */
  readonly isTaken: boolean;
}

interface Told {
  readonly id: string;
  readonly type: string;
  readonly subject: string;
  readonly sequence: string;
}

/** How one address answers a try: after so long, with this status. */
export type Answering = () => { readonly afterMs: number; readonly status: number };

/** One webhook's address. */
export class Mailbox {
  readonly name: string;
  readonly received: Received[] = [];
  /** What did not verify, or was no event. */
  readonly faults: string[] = [];
  /** Told by HelloTide when the webhook is made. */
  secret = "";
  readonly #answering: Answering;

  constructor(name: string, answering: Answering) {
    this.name = name;
    this.#answering = answering;
  }

  async take({ headers }: IncomingMessage, body: string, answer: ServerResponse): Promise<void> {
    const { afterMs, status } = this.#answering();
    await sleep(afterMs);
    try {
      const told = new Webhook(this.secret).verify(body, headers as Record<string, string>) as Told;
      this.received.push({
        ...{ messageId: `${headers["webhook-id"]}`, eventId: told.id, sequence: Number(told.sequence) },
        ...{ type: told.type, subject: told.subject, isTaken: status < 300 && !answer.destroyed },
      });
    } catch (error) {
      this.faults.push(String(error));
    }
    answer.writeHead(status, status === 503 ? { "retry-after": "1" } : {}).end();
  }
}

export interface Receiver {
  urlOf(mailbox: Mailbox): string;
  close(): void;
}

export async function openReceiver(mailboxes: readonly Mailbox[]): Promise<Receiver> {
  const server = createServer((incoming, answer) => {
    const mailbox = mailboxes.find(({ name }) => incoming.url === `/${name}`);
    let body = "";
    incoming.setEncoding("utf8").on("data", (text: string) => {
      body += text;
    });
    // A sender that was killed in the middle has said nothing.
    incoming.on("error", () => answer.destroy());
    incoming.on("end", () => void mailbox?.take(incoming, body, answer));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    urlOf: ({ name }) => `http://127.0.0.1:${(server.address() as AddressInfo).port}/${name}`,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
