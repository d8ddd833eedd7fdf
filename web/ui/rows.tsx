/** A long list of equal rows, of which only those that are seen are in the document: 5,000 scroll as 50 do. */
import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";

/** As in style.css. */
const ROW_PX = 36;
const BEYOND = 10;

/** In place of the rows that are not there. */
function Space({ px }: { px: number }) {
  return (
    <tr class="space">
      <td style={{ height: `${px}px` }} />
    </tr>
  );
}

interface Props<T> {
  readonly label: string;
  readonly rows: readonly T[];
  readonly head: ComponentChildren;
  row(row: T, index: number): ComponentChildren;
}

export function Rows<T>({ label, rows, head, row }: Props<T>) {
  const box = useRef<HTMLElement>(null);
  const [seen, setSeen] = useState({ top: 0, height: 800 });
  useEffect(() => {
    const element = box.current;
    if (element === null) return;
    const measure = () => setSeen({ top: element.scrollTop, height: element.clientHeight });
    measure();
    element.addEventListener("scroll", measure, { passive: true });
    const resized = new ResizeObserver(measure);
    resized.observe(element);
    return () => {
      element.removeEventListener("scroll", measure);
      resized.disconnect();
    };
  }, []);
  const from = Math.max(Math.floor(seen.top / ROW_PX) - BEYOND, 0);
  const to = Math.min(Math.ceil((seen.top + seen.height) / ROW_PX) + BEYOND, rows.length);
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keyboard
    <section class="scroll rows" ref={box} tabIndex={0} aria-label={label}>
      <table aria-rowcount={rows.length + 1}>
        <thead>{head}</thead>
        <tbody>
          {from > 0 && <Space px={from * ROW_PX} />}
          {rows.slice(from, to).map((one, i) => row(one, from + i))}
          {to < rows.length && <Space px={(rows.length - to) * ROW_PX} />}
        </tbody>
      </table>
    </section>
  );
}
