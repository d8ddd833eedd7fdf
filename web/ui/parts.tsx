/** Small pieces that every view is made of. */
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { moment, when, words } from "../format.ts";
import { hrefOf } from "../route.ts";
import { sayError } from "../session.ts";

/** Colour and shape both say it, as in the terminal: ● info, ▲ warning, ■ critical. */
const SHAPES: Readonly<Record<string, string>> = { info: "●", warning: "▲", critical: "■" };

export function Severity({ of, isOver = false }: { of: string; isOver?: boolean }) {
  return (
    <span class={`severity ${isOver ? "over" : of}`} role="img" aria-label={isOver ? `${of}, over` : of}>
      {isOver ? "○" : SHAPES[of]}
    </span>
  );
}

export function Kind({ name }: { name: string }) {
  return <span class="kind">{words(name)}</span>;
}

export function Time({ at }: { at: string }) {
  return (
    <time dateTime={at} title={moment(at)}>
      {when(at)}
    </time>
  );
}

export function Ja4({ site, ja4 }: { site: string; ja4: string }) {
  return ja4.includes("*") ? (
    <code>{ja4}</code>
  ) : (
    <a class="ja4" href={hrefOf({ page: "fingerprints", site, ja4 })}>
      <code>{ja4}</code>
    </a>
  );
}

interface NameLike {
  readonly name: string;
  readonly source: string;
  readonly confidence: string;
}

/** What a fingerprint is called, and who says so: a name is a guess. */
export function Names({ names }: { names: readonly NameLike[] }) {
  if (names.length === 0) return <span class="quiet">unnamed</span>;
  return (
    <>
      {names.map(({ name, source, confidence }) => (
        <span key={name} class="tag" title={`from ${source}, ${confidence} confidence`}>
          {name} <small>{confidence === "low" ? "?" : ""}</small>
        </span>
      ))}
    </>
  );
}

export function Copy({ text, label }: { text: string; label: string }) {
  const [isDone, setDone] = useState(false);
  const copy = async () => {
    await navigator.clipboard?.writeText(text);
    setDone(true);
  };
  return (
    <button type="button" class="small" onClick={() => void copy()} aria-label={`Copy ${label}`}>
      {isDone ? "Copied" : "Copy"}
    </button>
  );
}

export function Section({
  title,
  aside,
  children,
}: {
  title: string;
  aside?: ComponentChildren;
  children: ComponentChildren;
}) {
  return (
    <section class="card">
      <header>
        <h2>{title}</h2>
        {aside}
      </header>
      {children}
    </section>
  );
}

export function Empty({ children }: { children: ComponentChildren }) {
  return <p class="empty">{children}</p>;
}

export function Failure({ error, again }: { error: unknown; again?: () => void }) {
  return (
    <div class="failure" role="alert">
      <span>{sayError(error)}</span>
      {again !== undefined && (
        <button type="button" class="small" onClick={again}>
          Try again
        </button>
      )}
    </div>
  );
}

/** Data, or what stands in their place. Data that could not be refreshed stay, with the reason above them. */
export function Await<T>({
  of: { data, error, reload },
  children,
}: {
  of: { data: T | undefined; error: unknown; reload(): void };
  children: (data: T) => ComponentChildren;
}) {
  return (
    <>
      {error !== undefined && <Failure error={error} again={reload} />}
      {data !== undefined && children(data)}
      {data === undefined && error === undefined && (
        <div class="loading" role="status">
          Loading …
        </div>
      )}
    </>
  );
}

/** Part of the site's shards did not answer: the numbers are of the others. */
export function Partial({ of }: { of: { missing_shards: readonly number[] } | undefined }) {
  if (of === undefined) return null;
  return (
    <div class="failure" role="status">
      Shards {of.missing_shards.join(", ")} did not answer: these numbers are without theirs.
    </div>
  );
}

/** A table that scrolls sideways by itself, by keyboard too. */
export function Table({
  label,
  head,
  children,
}: {
  label: string;
  head: readonly string[];
  children: ComponentChildren;
}) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keyboard
    <section class="scroll" tabIndex={0} aria-label={label}>
      <table>
        <thead>
          <tr>
            {head.map((text) =>
              text === "" ? (
                <td key="actions" />
              ) : (
                <th key={text} scope="col">
                  {text}
                </th>
              ),
            )}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </section>
  );
}

/** A secret that is shown once. */
export function Secret({ text, what, onDone }: { text: string; what: string; onDone: () => void }) {
  return (
    <div class="secret" role="status">
      <p>{what} It is shown this once.</p>
      <p>
        <code>{text}</code> <Copy text={text} label="the secret" />
      </p>
      <button type="button" class="small" onClick={onDone}>
        I have it
      </button>
    </div>
  );
}
