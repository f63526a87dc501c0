// The small parts that every view uses.

import { useSignal } from "@preact/signals";
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";
import { clock, moment, utc, visible } from "./format";
import { about } from "./server";
import { type Said, t } from "./text";

/** A section of a view, under its heading. */
export function Card(props: { title: string; class?: string; side?: ComponentChildren; children: ComponentChildren }) {
  const id = useId();
  return (
    <section class={`card ${props.class ?? ""}`} aria-labelledby={id}>
      <div class="card-head">
        <h2 id={id}>{props.title}</h2>
        {props.side}
      </div>
      {props.children}
    </section>
  );
}

/** A moment in the zone that the reader chose. The other zone is its title. */
export function Time(props: { at: string; short?: boolean }) {
  const text = props.short ? clock(props.at) : moment(props.at);
  return (
    <time dateTime={props.at} title={moment(props.at, !utc.value)}>
      {text}
    </time>
  );
}

/** Text from outside, in the font of code, with its control characters visible. */
export const Raw = (props: { text: string; class?: string }) => (
  <span class={`raw ${props.class ?? ""}`} dir="ltr">
    {visible(props.text)}
  </span>
);

/** What the page or the server says. */
export const Words = ({ said }: { said: Said }) => (
  <>
    <span lang={said.lang}>{visible(said.text)}</span>
    {said.original !== undefined && (
      <>
        {" "}
        <span class="dim" lang="en">
          {visible(said.original)}
        </span>
      </>
    )}
  </>
);

/** A command, with a button that copies it. */
export function Command(props: { text: string }) {
  const copied = useSignal(false);
  const copy = async () => {
    await navigator.clipboard.writeText(props.text);
    copied.value = true;
    window.setTimeout(() => (copied.value = false), 2000);
  };
  return (
    <span class="command">
      <code tabIndex={0}>{props.text}</code>
      <button type="button" class="quiet" onClick={() => void copy()} aria-label={`${t.copy}: ${props.text}`}>
        {copied.value ? t.copied : t.copy}
      </button>
    </span>
  );
}

export const Commands = (props: { commands?: string[] | undefined; see?: string | undefined }) => (
  <>
    {(props.commands ?? []).map((text) => (
      <Command key={text} text={text} />
    ))}
    {props.see ? <span class="dim see">{t.see(props.see)}</span> : null}
  </>
);

/** Why nothing can be changed. */
export const readOnlyWhy = () => (about.value?.kind === "audit" ? t.auditReadOnly : t.readOnlyWhy);

/** A button that changes the stack. In a read-only console it is off and says why. */
export function Change(props: {
  label: string;
  run: () => Promise<unknown> | void;
  main?: boolean;
  off?: string | undefined;
  /** Whether it changes nothing, so that it works in a read-only console. */
  reads?: boolean;
}) {
  const error = useSignal("");
  const working = useSignal(false);
  const id = useId();
  const off = about.value && !about.value.write && !props.reads ? readOnlyWhy() : props.off;
  const click = async () => {
    if (off || working.value) return;
    error.value = "";
    working.value = true;
    try {
      await props.run();
    } catch (e) {
      error.value = (e as Error).message;
    } finally {
      working.value = false;
    }
  };
  return (
    <span class="change">
      <button
        type="button"
        class={props.main ? "main" : ""}
        aria-disabled={off || working.value ? true : undefined}
        aria-describedby={off || error.value ? id : undefined}
        title={off}
        onClick={() => void click()}
      >
        {props.label}
      </button>
      <span id={id} class={off ? "hidden" : "error"} role={error.value ? "alert" : undefined}>
        {error.value || off}
      </span>
    </span>
  );
}

/** A term and its value. */
export const Fact = (props: { name: string; children: ComponentChildren; tone?: string }) => (
  <div class={props.tone}>
    <dt>{props.name}</dt>
    <dd>{props.children}</dd>
  </div>
);

/** A table that scrolls by itself where the page is narrow. */
export const Scroll = (props: { label: string; children: ComponentChildren; class?: string }) => (
  <div class={`scroll ${props.class ?? ""}`} role="group" aria-label={props.label} tabIndex={0}>
    {props.children}
  </div>
);

/** A modal dialog, open as long as it is there. */
export function Dialog(props: { title: string; close: () => void; children: ComponentChildren }) {
  const ref = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const dialog = ref.current;
    if (dialog && !dialog.open) dialog.showModal();
  }, []);
  return (
    <dialog ref={ref} aria-labelledby={id} onClose={props.close}>
      <h2 id={id}>{props.title}</h2>
      {props.children}
    </dialog>
  );
}

/** A field with its label. */
export function Field(props: { label: string; children: (id: string) => JSX.Element }) {
  const id = useId();
  return (
    <p class="field">
      <label for={id}>{props.label}</label>
      {props.children(id)}
    </p>
  );
}
