/** NDJSON as it comes: one parsed value a line, never more than a chunk in memory. */
export async function* jsonLines<T>(body: ReadableStream<Uint8Array>): AsyncGenerator<T, void, undefined> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      rest += done ? decoder.decode() : decoder.decode(value, { stream: true });
      const lines = rest.split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) if (line !== "") yield JSON.parse(line) as T;
      if (done) break;
    }
    if (rest !== "") yield JSON.parse(rest) as T;
  } finally {
    // Also when the reader of the rows has had enough: the server must not go on sending.
    await reader.cancel().catch(() => undefined);
  }
}
