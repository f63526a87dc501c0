// Operations: what was begun from a page, with its steps as they happen.

import { useEffect } from "preact/hooks";
import { useSignal } from "@preact/signals";
import { duration, visible } from "./format";
import type { Operation, OperationStep } from "./model";
import { get, operations } from "./server";
import { operationName, said, t } from "./text";
import { Time, Words } from "./ui";

const sign = { running: "…", done: "✓", failed: "✗" };

/** The steps of an operation. */
export function Steps({ operation }: { operation: Operation }) {
  return (
    <div class={`operation ${operation.state}`}>
      <p class="operation-head">
        <strong>{operationName(operation.kind)}</strong>
        <span class={`badge ${operation.state}`}>{t[operation.state]}</span>
        <span class="dim">
          <Time at={operation.begun} short />
        </span>
      </p>
      {operation.state === "done" ? (
        <details>
          <summary>{t.steps}</summary>
          <List steps={operation.steps} />
        </details>
      ) : (
        <List steps={operation.steps} />
      )}
      {operation.error && !operation.steps.some((step) => step.error === operation.error) ? (
        <p class="error" role="alert" lang="en">
          {visible(operation.error)}
        </p>
      ) : null}
    </div>
  );
}

const List = ({ steps }: { steps: OperationStep[] }) => (
  <ol class="steps" aria-live="polite">
    {steps.map((step, i) => (
      <li key={i} class={step.state}>
        <span class="sign" aria-hidden="true">
          {sign[step.state]}
        </span>
        <span>
          <Words said={said(step.name)} />
          <span class="hidden"> {t[step.state]}</span>
          {step.progress ? (
            <span class="dim">
              {" "}
              <Words said={said(step.progress)} />
            </span>
          ) : null}
          {step.state !== "running" && step.seconds >= 0.1 ? <span class="dim"> {duration(step.seconds)}</span> : null}
          {(step.notes ?? []).map((note) => (
            <span key={note} class="note">
              <Words said={said(note)} />
            </span>
          ))}
          {step.error ? (
            <span class="error" lang="en">
              {visible(step.error)}
            </span>
          ) : null}
        </span>
      </li>
    ))}
  </ol>
);

/** The newest operation of the kinds. */
export const latest = (...kinds: string[]) => operations.value.find((o) => kinds.includes(o.kind));

// These change nothing.
const reading = new Set(["explain", "discover", "audit", "repair plan"]);

/** Why nothing can be changed now, if another change runs. */
export const busy = () =>
  operations.value.some((o) => o.state === "running" && !reading.has(o.kind)) ? t.busy : undefined;

/** The result of an operation, once it has one. */
export function useResult<T>(operation: Operation | undefined): T | null {
  const result = useSignal<{ id: string; value: T } | null>(null);
  const id = operation?.hasResult ? operation.id : "";
  useEffect(() => {
    if (!id) return;
    let gone = false;
    get<Operation>(`api/operation?id=${encodeURIComponent(id)}`).then(
      (answer) => {
        if (!gone) result.value = { id, value: answer.result as T };
      },
      () => undefined,
    );
    return () => {
      gone = true;
    };
  }, [id]);
  return result.value?.id === id ? result.value.value : null;
}
