// The query: edited with its faults at their place, its translation beside it, run, and taken back.

import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { difference } from "./diff";
import { makeEditor, type Editor } from "./editor";
import { count, shortHash, visible } from "./format";
import type { Check, Fault, Query, Version } from "./model";
import { busy, latest, Steps, useResult } from "./operation";
import { begin, flow, get, post } from "./server";
import { t } from "./text";
import { Card, Change, Field, Raw, Scroll, Time } from "./ui";

const checkAfter = 250; // ms without a key
const planAfter = 1000;
const usualRecords = 200;

/** What was typed and not run, while another view is open. */
let draft: string | null = null;

export function SQLView() {
  const query = useSignal<Query | null>(null);
  const versions = useSignal<Version[]>([]);
  const error = useSignal("");
  const last = latest("query");
  const ran = last && last.state !== "running" ? last.id : "";
  useEffect(() => {
    let gone = false;
    const load = async () => {
      try {
        const shown = await get<Query>("api/query");
        const earlier = await get<Version[] | null>("api/query/versions");
        if (gone) return;
        query.value = shown;
        versions.value = earlier ?? [];
        error.value = "";
      } catch (e) {
        if (!gone) error.value = (e as Error).message;
      }
    };
    void load();
    return () => {
      gone = true;
    };
  }, [ran, flow.value?.analytics?.pipeline]); // another page or the command line may change it
  if (!query.value)
    return (
      <Card title={t.sqlTitle}>
        <p class={error.value ? "error" : ""} role={error.value ? "alert" : undefined}>
          {error.value || t.loading}
        </p>
      </Card>
    );
  return <Workbench query={query.value} versions={versions.value} />;
}

function Workbench({ query, versions }: { query: Query; versions: Version[] }) {
  const box = useRef<HTMLDivElement>(null);
  const editor = useRef<Editor | null>(null);
  const text = useSignal(draft ?? query.sql);
  const checked = useSignal<Check | null>(null);
  const checking = useSignal(false);
  const error = useSignal("");
  const records = useSignal(String(usualRecords));
  const compared = useSignal<Version | null>(null);
  const last = latest("query");

  useEffect(() => {
    const made = makeEditor(box.current!, text.peek(), (next) => {
      text.value = next;
      draft = next;
    });
    editor.current = made;
    return () => made.view.destroy();
  }, []);
  useEffect(() => editor.current?.complete(query), [query]);
  useEffect(() => {
    const stop = new AbortController();
    const check = async (plan: boolean) => {
      checking.value = true;
      try {
        const found = await post<Check>("api/query/check", { sql: text.value, plan }, stop.signal);
        checked.value = found;
        error.value = "";
        editor.current?.mark([...(found.faults ?? []), ...(found.warnings ?? []).map((w) => ({ ...w, warning: true }))]);
        if (!plan && (found.faults ?? []).length === 0 && text.value !== query.sql)
          timer = window.setTimeout(() => void check(true), planAfter);
      } catch (e) {
        if (!stop.signal.aborted) error.value = (e as Error).message;
      }
      if (!stop.signal.aborted) checking.value = false;
    };
    let timer = window.setTimeout(() => void check(false), checkAfter);
    return () => {
      window.clearTimeout(timer);
      stop.abort();
    };
  }, [text.value, query]);

  const take = (sql: string) => {
    editor.current?.setText(sql);
    editor.current?.view.focus();
  };
  const faults = checked.value?.faults ?? [];
  const same = text.value === query.sql;
  return (
    <>
      <Card
        title={t.sqlTitle}
        side={
          <span class="dim">
            <Raw text={shortHash(query.pipeline ?? "")} /> {query.since ? t.since("") : null}
            {query.since ? <Time at={query.since} /> : null}
          </span>
        }
      >
        {query.problem ? (
          <p class="error" lang="en">
            {visible(query.problem)}
          </p>
        ) : null}
        <div class="halves">
          <div class="editor-side">
            <h3>{checked.value ? t[`dialect_${checked.value.dialect}`] : t.sqlTitle}</h3>
            <div class="editor" ref={box} />
            <p class="dim">{t.sqlHint}</p>
          </div>
          <div class="editor-side">
            <h3>{t.translation}</h3>
            {checked.value?.dialect === "flink" ? <p class="dim">{t.translationSame}</p> : null}
            <pre class="sql" tabIndex={0} aria-label={t.translation}>
              {visible(checked.value?.flink || query.flink || "")}
            </pre>
          </div>
        </div>
        <Findings checked={checked.value} checking={checking.value} error={error.value} goTo={(f) => editor.current?.goTo(f)} />
        <div class="actions">
          <Field label={t.sqlRecords}>
            {(id) => (
              <input id={id} type="number" min="0" value={records.value} onInput={(e) => (records.value = e.currentTarget.value)} />
            )}
          </Field>
          <Change
            label={t.saveAndRun}
            main
            off={same ? t.sqlUnchanged : faults.length > 0 ? t.sqlFaults(faults.length) : busy()}
            run={() => begin("api/query/run", { sql: text.value, records: Number(records.value) })}
          />
          {same ? null : (
            <button type="button" onClick={() => take(query.sql)}>
              {t.sqlReset}
            </button>
          )}
        </div>
        {last ? <Steps operation={last} /> : null}
      </Card>
      <FirstRows />
      <Card title={t.versions}>
        {versions.length < 2 ? <p class="dim">{t.versionsNone}</p> : null}
        <ul class="versions">
          {versions.map((v, i) => (
            <li key={`${v.pipeline}${v.from ?? i}`}>
              <p>
                <Raw text={shortHash(v.pipeline)} /> {v.from ? <Time at={v.from} /> : null}{" "}
                {v.current ? <span class="badge">{t.now}</span> : null}
                {v.rolledBack ? <span class="badge">{t.rolledBack}</span> : null}
              </p>
              {v.why ? (
                <p class="dim" lang="en">
                  {visible(v.why)}
                </p>
              ) : null}
              <div class="actions">
                <button
                  type="button"
                  aria-expanded={compared.value === v}
                  aria-label={`${t.compare} ${shortHash(v.pipeline)}`}
                  onClick={() => (compared.value = compared.value === v ? null : v)}
                >
                  {t.compare}
                </button>
                <button
                  type="button"
                  aria-label={`${t.takeBack} ${shortHash(v.pipeline)}`}
                  onClick={() => {
                    take(v.sql);
                    box.current?.scrollIntoView({ block: "center" });
                  }}
                >
                  {t.takeBack}
                </button>
              </div>
              {compared.value === v ? <Diff title={t.diffTitle(shortHash(v.pipeline))} before={v.sql} after={text.value} /> : null}
            </li>
          ))}
        </ul>
      </Card>
    </>
  );
}

/** What a check has found. In an editor, goTo shows the place of a fault. */
export function Findings(props: { checked: Check | null; checking: boolean; error: string; goTo?: (fault: Fault) => void }) {
  const c = props.checked;
  const goTo = props.goTo;
  if (props.error)
    return (
      <p class="error" role="alert">
        {props.error}
      </p>
    );
  const faults = c?.faults ?? [];
  return (
    <div class="findings">
      <p role="status">
        {props.checking ? <span class="dim">{t.checking} </span> : null}
        {!c ? null : faults.length > 0 ? (
          <strong class="bad">{t.sqlFaults(faults.length)}</strong>
        ) : !c.judged && !c.planned ? (
          <span class="warn">{t.sqlUnsure}</span>
        ) : (
          <span class="fine">
            {t.sqlFine} {c.planned ? t.sqlPlanned : ""}
          </span>
        )}
      </p>
      <ul class="faults">
        {[...faults.map((f) => ({ f, kind: "bad" })), ...(c?.warnings ?? []).map((f) => ({ f, kind: "warn" }))].map(({ f, kind }) => (
          <li key={`${f.line}:${f.column}:${f.message}`} class={kind}>
            {goTo ? (
              <button type="button" class="quiet" onClick={() => goTo(f)}>
                {t.sqlAt(f.line, f.column)}
              </button>
            ) : (
              `${t.sqlAt(f.line, f.column)}:`
            )}{" "}
            <span lang="en">{visible(f.message)}</span>
            {f.translated ? <Raw text={f.translated} class="block" /> : null}
          </li>
        ))}
      </ul>
      {c && faults.length === 0 ? (
        <p class={c.judged ? "dim" : "warn"}>{c.judged ? t.sqlJudged : t.sqlNotJudged(visible(c.notJudged ?? ""))}</p>
      ) : null}
    </div>
  );
}

/** The first rows of the query that was run last from here. */
function FirstRows() {
  const last = latest("query");
  const result = useResult<{ columns?: string[]; rows?: (string | null)[][]; rolledBack?: boolean }>(last);
  if (!result?.rows || result.rows.length === 0) return null;
  return (
    <Card title={t.firstRows} side={<span class="dim">{count(result.rows.length)}</span>}>
      <Table columns={result.columns ?? []} rows={result.rows} label={t.firstRows} />
    </Card>
  );
}

/** Rows by their columns. NULL differs from the empty text. */
export const Table = (props: { columns: string[]; rows: (string | null)[][]; label: string }) => (
  <Scroll label={props.label} class="data">
    <table>
      <thead>
        <tr>
          {props.columns.map((name, i) => (
            <th key={i} scope="col">
              <Raw text={name} />
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {props.rows.map((row, i) => (
          <tr key={i}>
            {row.map((value, k) => (
              <td key={k}>{value === null ? <span class="dim">NULL</span> : <Raw text={value} />}</td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  </Scroll>
);

const around = 3; // lines
const signs = { same: " ", removed: "−", added: "+" };

/** The difference of two texts, by line. Lines that stay and are far from it are left out. */
export function Diff({ title, before, after }: { title: string; before: string; after: string }) {
  const lines = difference(before, after);
  if (lines.every((line) => line.kind === "same")) return <p class="dim">{t.diffNone}</p>;
  const near = (i: number) => lines.slice(Math.max(i - around, 0), i + around + 1).some((line) => line.kind !== "same");
  return (
    <div class="diff" role="group" aria-label={title} tabIndex={0}>
      <p class="dim">{title}</p>
      {lines.map((line, i) =>
        near(i) ? (
          <div key={i} class={line.kind}>
            <span aria-hidden="true">{signs[line.kind]} </span>
            {line.kind === "same" ? null : <span class="hidden">{t[line.kind]}: </span>}
            <Raw text={line.text} />
          </div>
        ) : i === 0 || near(i - 1) ? (
          <div key={i} class="dim">
            …
          </div>
        ) : null,
      )}
    </div>
  );
}
