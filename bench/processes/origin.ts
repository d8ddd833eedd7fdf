/**
 * The origin behind every variant: answers each request with the same body, from a bare TCP server, since a full HTTP
 * server would cost as much as what is measured. Requests have no body, so each ends with an empty line.
 * Prints its port as one line.
 */
import { createServer } from "node:net";

const BODY_BYTES = 1_024;
const BODY = "hello ".repeat(BODY_BYTES).slice(0, BODY_BYTES);

/** What visitors must get, byte for byte. */
export const ORIGIN_BODY = Buffer.from(BODY);

const ANSWER = Buffer.from(
  `HTTP/1.1 200 OK\r\ncontent-type: text/html; charset=utf-8\r\ncf-cache-status: HIT\r\ncontent-length: ${BODY_BYTES}\r\n\r\n${BODY}`,
);
const END = "\r\n\r\n";

export function listen(onPort: (port: number) => void): void {
  const server = createServer((socket) => {
    let rest = "";
    socket.setNoDelay(true);
    socket.setEncoding("latin1");
    socket.on("error", () => socket.destroy());
    socket.on("data", (text: string) => {
      const parts = (rest + text).split(END);
      rest = parts.pop() ?? "";
      for (const _ of parts) socket.write(ANSWER);
    });
  });
  server.listen(0, "127.0.0.1", () => {
    const address = server.address();
    if (typeof address === "object" && address !== null) onPort(address.port);
  });
}

if (import.meta.main) listen((port) => process.stdout.write(`${port}\n`));
