/** Forms: labelled fields, one error under the form, a button that says when it works. */
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { Failure } from "./parts.tsx";

export function Field({
  label,
  hint,
  children,
}: {
  label: string;
  hint?: string;
  children: ComponentChildren;
}) {
  return (
    // biome-ignore lint/a11y/noLabelWithoutControl: the control is its child
    <label class="field">
      <span>{label}</span>
      {children}
      {hint !== undefined && <small>{hint}</small>}
    </label>
  );
}

interface TextProps {
  readonly label: string;
  readonly value: string;
  onValue(value: string): void;
  readonly hint?: string;
  readonly type?: "text" | "number" | "password" | "url";
  readonly placeholder?: string;
  readonly required?: boolean;
}

export function Text({
  label,
  value,
  onValue,
  hint,
  type = "text",
  placeholder,
  required = false,
}: TextProps) {
  return (
    <Field label={label} {...(hint === undefined ? {} : { hint })}>
      <input
        {...({ type } as { type: "text" })}
        value={value}
        placeholder={placeholder}
        required={required}
        autocomplete="off"
        spellcheck={false}
        step={type === "number" ? "any" : undefined}
        onInput={({ currentTarget }: { currentTarget: HTMLInputElement }) => onValue(currentTarget.value)}
      />
    </Field>
  );
}

export type Choice = readonly [value: string, text: string];

interface SelectProps {
  readonly label: string;
  readonly value: string;
  readonly options: readonly Choice[];
  onValue(value: string): void;
}

export function Select({ label, value, options, onValue }: SelectProps) {
  return (
    <Field label={label}>
      <select value={value} onChange={({ currentTarget }) => onValue(currentTarget.value)}>
        {options.map(([name, text]) => (
          <option key={name} value={name}>
            {text}
          </option>
        ))}
      </select>
    </Field>
  );
}

export function SeveritySelect({ label, value, onValue }: Omit<SelectProps, "options">) {
  return (
    <Select
      label={label}
      value={value}
      options={["info", "warning", "critical"].map((name) => [name, name])}
      onValue={onValue}
    />
  );
}

/** What a form holds until it is sent, and back to `empty`. */
export function useDraft<T extends object>(empty: T) {
  const [draft, setDraft] = useState(empty);
  const set = (change: Partial<T>) => setDraft((old) => ({ ...old, ...change }));
  const reset = (to = empty) => setDraft(to);
  return { draft, set, reset };
}

interface FormProps {
  readonly label: string;
  readonly button: string;
  /** Rejects with what the server says. */
  send(): Promise<void>;
  readonly children: ComponentChildren;
}

export function Form({ label, button, send, children }: FormProps) {
  const { run, error, isBusy } = useAction();
  return (
    <form
      aria-label={label}
      onSubmit={(event) => {
        event.preventDefault();
        void run(send);
      }}
    >
      <div class="fields">{children}</div>
      {error !== undefined && <Failure error={error} />}
      <button type="submit" disabled={isBusy}>
        {isBusy ? "…" : button}
      </button>
    </form>
  );
}

/** Something that a person asks for: once at a time, with its error. */
export function useAction() {
  const [error, setError] = useState<unknown>();
  const [isBusy, setBusy] = useState(false);
  const run = async (action: () => Promise<void>) => {
    setBusy(true);
    setError(undefined);
    await action().catch(setError);
    setBusy(false);
  };
  return { run, error, isBusy };
}

/** Asks before something is gone: the second click does it. */
export function Sure({
  label,
  about,
  action,
}: {
  label: string;
  about: string;
  action: () => Promise<void>;
}) {
  const [isAsked, setAsked] = useState(false);
  const { run, error, isBusy } = useAction();
  return (
    <>
      <button
        type="button"
        class={isAsked ? "small danger" : "small"}
        disabled={isBusy}
        aria-label={`${isAsked ? "Really " : ""}${label} ${about}`}
        onBlur={() => setAsked(false)}
        onClick={() => (isAsked ? void run(action) : setAsked(true))}
      >
        {isAsked ? `Really ${label.toLowerCase()}?` : label}
      </button>
      {error !== undefined && <Failure error={error} />}
    </>
  );
}
