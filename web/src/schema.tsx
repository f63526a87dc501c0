// The schema: discovered, edited with rows of a sample beside it, tried on the query, and saved in the project.

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { count, visible } from "./format";
import type { CheckedSchema, Discovered, Effect, Evidence, Output, Reading, SavedSchema, SchemaColumn, SchemaFile, ShownSchema } from "./model";
import { busy, latest, Steps, useResult } from "./operation";
import { about, begin, flow, get, post } from "./server";
import { Diff, Findings } from "./sql";
import { t } from "./text";
import { Card, Change, Commands, Field, Raw, Scroll } from "./ui";

const checkAfter = 250; // ms without a key
const types = ["INTEGER", "BIGINT", "REAL", "DOUBLE", "DECIMAL(10,2)", "BOOLEAN", "DATE", "TIMESTAMP", "CHAR(1)", "VARCHAR(16)", "VARCHAR"];
const typesID = "schema-types";

// What is kept while another view is open: the edited schema, and the discovery that was begun here and not taken yet,
// with what was edited then.
let kept: SchemaFile | null = null;
let asked: { id: string; draft: string } | null = null;

export function SchemaView() {
  const shown = useSignal<ShownSchema | null>(null);
  const error = useSignal("");
  const last = latest("schema", "query");
  const ran = last && last.state !== "running" ? last.id : "";
  useEffect(() => {
    const stop = new AbortController();
    get<ShownSchema>("api/schema", stop.signal).then(
      (answer) => {
        shown.value = answer;
        error.value = "";
      },
      (e: Error) => {
        if (!stop.signal.aborted) error.value = e.message;
      },
    );
    return () => stop.abort();
  }, [ran, flow.value?.analytics?.pipeline]); // another page or the command line may change it
  if (shown.value) return <Workbench shown={shown.value} />;
  return (
    <Card title={t.schemaTitle}>
      <p class={error.value ? "error" : ""} role={error.value ? "alert" : undefined}>
        {error.value || t.loading}
      </p>
    </Card>
  );
}

function Workbench({ shown }: { shown: ShownSchema }) {
  const draft = useSignal<SchemaFile>(kept ?? shown.schema);
  const rename = useSignal(true);
  const checked = useSignal<CheckedSchema | null>(null);
  const checking = useSignal(false);
  const planned = useSignal(0); // how often Flink was asked for
  const error = useSignal("");
  const discovery = latest("discover");
  const found = useResult<Discovered>(discovery);

  const edit = (next: SchemaFile | null) => {
    kept = next;
    draft.value = next ?? shown.schema;
  };
  useEffect(() => {
    if (kept === null) draft.value = shown.schema; // it was saved, here or elsewhere
  }, [shown]);
  useEffect(() => {
    if (!found || !discovery || discovery.id !== asked?.id) return;
    if (asked.draft === JSON.stringify(draft.value)) edit(found.schema); // what was typed meanwhile stays
    asked = null;
  }, [found]);
  const sampled = discovery && discovery.state !== "running" ? discovery.id : "";
  useEffect(() => {
    const stop = new AbortController();
    const check = async () => {
      checking.value = true;
      try {
        const plan = planned.value > 0;
        checked.value = await post<CheckedSchema>("api/schema/check", { schema: draft.value, rename: rename.value, plan }, stop.signal);
        error.value = "";
      } catch (e) {
        if (!stop.signal.aborted) error.value = (e as Error).message;
      }
      if (!stop.signal.aborted) checking.value = false;
    };
    const timer = window.setTimeout(() => void check(), planned.value > 0 ? 0 : checkAfter);
    return () => {
      window.clearTimeout(timer);
      stop.abort();
    };
  }, [draft.value, rename.value, sampled, shown, planned.value]);
  const changed = (next: SchemaFile) => {
    planned.value = 0;
    edit(next);
  };

  return (
    <>
      <Card title={t.schemaTitle} side={<span class="dim">{shown.file ? <Raw text={shown.file} /> : t.schemaOf}</span>}>
        <Deployed shown={shown} />
        <Discover draft={draft.value} />
        {found ? <Said found={found} /> : null}
        {found && JSON.stringify(found.schema) !== JSON.stringify(draft.value) ? (
          <p>
            <button type="button" onClick={() => changed(found.schema)}>
              {t.takeSchema}
            </button>
          </p>
        ) : null}
        {checked.value?.reading ? <Read reading={checked.value.reading} /> : <p class="dim">{t.schemaNoSample}</p>}
        {(checked.value?.faults ?? [])
          .filter((fault) => fault.column < 0)
          .map((fault) => (
            <p key={fault.message} class="error" lang="en">
              {visible(fault.message)}
            </p>
          ))}
        <Columns draft={draft.value} checked={checked.value} evidence={evidenceOf(found)} change={changed} />
        <AsText draft={draft.value} change={changed} />
      </Card>
      {checked.value?.reading && checked.value.reading.problems.length > 0 ? <NotRows reading={checked.value.reading} /> : null}
      <Card title={t.effectTitle}>
        <Findings checked={checked.value?.effect ?? null} checking={checking.value} error={error.value} />
        {checked.value?.effect ? (
          <Effects effect={checked.value.effect} rename={rename.value} setRename={(on) => (rename.value = on)} plan={() => planned.value++} />
        ) : checked.value ? (
          <p class="dim">{t.effectFaulty}</p>
        ) : null}
      </Card>
      <Save shown={shown} draft={draft.value} rename={rename.value} checked={checked.value} checking={checking.value} edit={edit} />
    </>
  );
}

/** What of the project the stack does not run yet. */
function Deployed({ shown }: { shown: ShownSchema }) {
  return (
    <>
      {!shown.project ? (
        <p class="warn">{t.schemaNoProject}</p>
      ) : shown.problem ? (
        <p class="warn" lang="en">
          {visible(shown.problem)}
        </p>
      ) : null}
      {shown.text !== shown.running ? (
        <details>
          <summary class="warn">{t.schemaNotRunning}</summary>
          <Commands commands={shown.deploy} />
          <Diff title={t.schemaDiffRunning} before={shown.running} after={shown.text} />
        </details>
      ) : null}
      {shown.sql !== shown.runningSQL ? <p class="dim">{t.queryNotRunning}</p> : null}
    </>
  );
}

/** Samples the stream, and proposes a schema for it. */
function Discover({ draft }: { draft: SchemaFile }) {
  const latestOnly = useSignal(false);
  const records = useSignal("1000");
  const fresh = useSignal(false);
  const last = latest("discover");
  const run = async () => {
    const body = { records: Number(records.value), latest: latestOnly.value, ...(fresh.value ? {} : { schema: draft }) };
    const text = JSON.stringify(draft);
    asked = { id: await begin("api/discover", body), draft: text };
  };
  return (
    <>
      <div class="actions">
        <Field label={t.schemaFrom}>
          {(id) => (
            <select id={id} value={String(latestOnly.value)} onChange={(e) => (latestOnly.value = e.currentTarget.value === "true")}>
              <option value="false">{t.schemaOldest}</option>
              <option value="true">{t.schemaNewest}</option>
            </select>
          )}
        </Field>
        <Field label={t.records}>
          {(id) => (
            <input id={id} type="number" min="1" max="100000" value={records.value} onInput={(e) => (records.value = e.currentTarget.value)} />
          )}
        </Field>
        <Change label={t.op_discover} main reads off={last?.state === "running" ? t.running : undefined} run={run} />
        <Tick label={t.schemaFresh} on={fresh.value} set={(on) => (fresh.value = on)} />
      </div>
      {last ? <Steps operation={last} /> : null}
    </>
  );
}

const Tick = (props: { label: string; on: boolean; set: (on: boolean) => void }) => (
  <label class="tick">
    <input type="checkbox" checked={props.on} onChange={(e) => props.set(e.currentTarget.checked)} /> {props.label}
  </label>
);

/** What discovery says in words. */
function Said({ found }: { found: Discovered }) {
  const notes = [
    ...(found.merge?.changes ?? []),
    ...(found.merge?.warnings ?? []),
    ...(found.notes ?? []),
    ...found.columns.flatMap((c) => c.notes ?? []),
  ];
  if (notes.length === 0) return null;
  return (
    <details open={!found.merge}>
      <summary>
        {t.discoverNotes}: {count(notes.length)}
      </summary>
      <ul lang="en">
        {notes.map((note, i) => (
          <li key={i}>{visible(note)}</li>
        ))}
      </ul>
    </details>
  );
}

const Read = ({ reading: r }: { reading: Reading }) => (
  <div>
    <p role="status">
      {r.rejected > 0 ? (
        <strong class="warn">{t.schemaReads(r.read, count(r.read), r.rejected, count(r.rejected))}</strong>
      ) : (
        <span class="fine">{t.schemaReadsAll(r.read, count(r.read))}</span>
      )}
    </p>
    <p class="dim">
      {t.sampled(r.records, count(r.records))}: <Raw text={r.source} />
    </p>
  </div>
);

// Columns have their place in a record: by its name where the format has names, else by their number.
const hasNames = (s: SchemaFile) => s.format?.type === "json" || s.format?.header === true;

/** Where a column's value stands in a record, as schema.json has it. */
const pathOf = (s: SchemaFile, c: SchemaColumn) => {
  if (c.path !== undefined || s.format?.type !== "json") return c.path ?? c.name;
  return /^\w+$/.test(c.name) ? `$.${c.name}` : `$['${c.name.replace(/['\\]/g, "\\$&")}']`;
};

const placeOf = (s: SchemaFile, c: SchemaColumn, i: number) => (hasNames(s) ? (c.unnamed ? "" : pathOf(s, c)) : String(i));

/** What the sample said of each place. */
function evidenceOf(found: Discovered | null): Map<string, Evidence> {
  const all = new Map<string, Evidence>();
  const s = found?.schema;
  s?.columns.forEach((c, i) => {
    const evidence = found?.columns[i];
    if (evidence) all.set(placeOf(s, c, i), evidence);
  });
  return all;
}

const usualPattern = (type: string) => (/date/i.test(type) ? "yyyy-MM-dd" : "yyyy-MM-dd HH:mm:ss");
const isTime = (type: string) => /^\s*(timestamp|date)\s*$/i.test(type);

function Columns(props: {
  draft: SchemaFile;
  checked: CheckedSchema | null;
  evidence: Map<string, Evidence>;
  change: (next: SchemaFile) => void;
}) {
  const { draft, checked } = props;
  const rows = checked?.reading?.rows ?? [];
  const set = (i: number, next: SchemaColumn) => props.change({ ...draft, columns: draft.columns.map((c, k) => (k === i ? next : c)) });
  const rename = (i: number, name: string) => {
    const c = draft.columns[i]!;
    // Another name must not make it another column.
    set(i, hasNames(draft) && !c.unnamed ? { ...c, name, path: pathOf(draft, c) } : { ...c, name });
  };
  const retype = (i: number, type: string, pattern?: string) => {
    const { pattern: old, ...rest } = draft.columns[i]!;
    const next = pattern ?? (isTime(type) ? old : undefined);
    set(i, next ? { ...rest, type, pattern: next } : { ...rest, type });
  };
  return (
    <Scroll label={t.schemaTitle} class="data schema">
      <datalist id={typesID}>
        {types.map((type) => (
          <option key={type} value={type} />
        ))}
      </datalist>
      <table>
        <thead>
          <tr>
            <th scope="col">{t.columnName}</th>
            <th scope="col">{t.columnAlias}</th>
            <th scope="col">{t.columnType}</th>
            <th scope="col">{t.columnNull}</th>
            {props.evidence.size > 0 ? <th scope="col">{t.sampleSays}</th> : null}
            {rows.map((_, k) => (
              <th key={k} scope="col">
                {t.rowN(k + 1)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {draft.columns.map((c, i) => {
            const faults = (checked?.faults ?? []).filter((fault) => fault.column === i);
            const misfits = checked?.reading?.columns[i] ?? 0;
            const evidence = props.evidence.get(placeOf(draft, c, i));
            const said = `schema-fault-${i}`;
            const field = (what: string, value: string, input: (text: string) => void, more = {}) => (
              <input
                aria-label={t.columnOf(what, visible(c.name) || String(i + 1))}
                aria-invalid={faults.length > 0 || undefined}
                aria-describedby={faults.length + misfits > 0 ? said : undefined}
                spellcheck={false}
                autocomplete="off"
                dir="ltr"
                value={value}
                onInput={(e) => input(e.currentTarget.value)}
                {...more}
              />
            );
            return (
              <tr key={i}>
                <td>
                  {field(t.columnName, c.name, (name) => rename(i, name))}
                  {visible(c.name) !== c.name ? <Raw text={c.name} class="block dim" /> : null}
                  {c.path !== undefined && c.path !== c.name ? <Raw text={c.path} class="block dim" /> : null}
                </td>
                <td>
                  {field(t.columnAlias, c.alias, (alias) => set(i, { ...c, alias }), { class: "short" })}
                  {visible(c.alias) !== c.alias ? <Raw text={c.alias} class="block dim" /> : null}
                </td>
                <td>
                  {field(t.columnType, c.type, (type) => retype(i, type), { list: typesID, class: "short" })}
                  {isTime(c.type)
                    ? field(t.columnPattern, c.pattern ?? "", (pattern) => retype(i, c.type, pattern), { class: "block", placeholder: usualPattern(c.type) })
                    : null}
                  <span id={said}>
                    {faults.map((fault) => (
                      <span key={fault.message} class="error block" lang="en">
                        {visible(fault.message)}
                      </span>
                    ))}
                    {misfits > 0 ? <span class="warn block">{t.misfits(misfits, count(misfits))}</span> : null}
                  </span>
                </td>
                <td>
                  <input
                    type="checkbox"
                    aria-label={t.columnOf(t.columnNull, visible(c.name) || String(i + 1))}
                    checked={c.nullable === true}
                    onChange={(e) => {
                      const { nullable: _, ...rest } = c;
                      set(i, e.currentTarget.checked ? { ...rest, nullable: true } : rest);
                    }}
                  />
                </td>
                {props.evidence.size > 0 ? <td>{evidence ? <Says evidence={evidence} column={c} take={() => retype(i, evidence.type, evidence.pattern)} /> : null}</td> : null}
                {rows.map((row, k) => (
                  <td key={k}>{row[i] === undefined ? null : row[i] === null ? <span class="dim">NULL</span> : <Raw text={row[i]!} />}</td>
                ))}
              </tr>
            );
          })}
        </tbody>
      </table>
    </Scroll>
  );
}

/** What the sample says of a column, with a button where the column says something else. */
function Says({ evidence: e, column: c, take }: { evidence: Evidence; column: SchemaColumn; take: () => void }) {
  const type = e.pattern ? `${e.type} ${e.pattern}` : e.type;
  const other = c.type.toUpperCase() !== e.type || (c.pattern ?? "") !== (e.pattern ?? "");
  return (
    <>
      <Raw text={type} />
      <span class="dim block">
        {t.agree(count(e.agree), count(e.values))}
        {e.nulls > 0 ? `, ${t.nulls(count(e.nulls))}` : ""}
      </span>
      {other ? (
        <button type="button" class="quiet" onClick={take} aria-label={t.columnOf(t.takeType(type), visible(c.name))}>
          {t.takeType(e.type)}
        </button>
      ) : null}
    </>
  );
}

/** The schema as text, with what has no field of its own. */
function AsText({ draft, change }: { draft: SchemaFile; change: (next: SchemaFile) => void }) {
  const text = useSignal<string | null>(null); // as typed, while that is no JSON or another layout
  const bad = useSignal("");
  useEffect(() => {
    try {
      if (text.value !== null && JSON.stringify(JSON.parse(text.value)) === JSON.stringify(draft)) return;
    } catch {
      if (bad.value) return;
    }
    text.value = null; // it was changed elsewhere
  }, [draft]);
  const typed = (next: string) => {
    text.value = next;
    try {
      const parsed = JSON.parse(next) as SchemaFile;
      if (!Array.isArray(parsed.columns) || parsed.columns.some((c) => typeof c !== "object" || c === null || [c.name, c.alias, c.type].some((v) => typeof v !== "string")))
        throw new Error("columns");
      bad.value = "";
      change(parsed);
    } catch (e) {
      bad.value = (e as Error).message;
    }
  };
  return (
    <details>
      <summary>{t.schemaText}</summary>
      <p class="dim">{t.schemaTextHint}</p>
      <textarea
        class="json"
        rows={16}
        spellcheck={false}
        dir="ltr"
        aria-label={t.schemaText}
        aria-invalid={bad.value ? true : undefined}
        value={text.value ?? laidOut(draft)}
        onInput={(e) => typed(e.currentTarget.value)}
      />
      {bad.value ? <p class="error">{t.schemaTextBad(visible(bad.value))}</p> : null}
    </details>
  );
}

/** A schema with a line for each column, as schema.json has it. */
const laidOut = ({ columns, ...rest }: SchemaFile) => {
  const members = Object.entries(rest).map(([name, value]) => `  ${JSON.stringify(name)}: ${JSON.stringify(value)},\n`);
  return `{\n${members.join("")}  "columns": [\n${columns.map((c) => `    ${JSON.stringify(c)}`).join(",\n")}\n  ]\n}\n`;
};

const NotRows = ({ reading: r }: { reading: Reading }) => (
  <Card title={t.notRows} side={r.problems.length < r.rejected ? <span class="dim">{t.notRowsFirst(count(r.problems.length), count(r.rejected))}</span> : null}>
    <Scroll label={t.notRows} class="data">
      <table>
        <thead>
          <tr>
            <th scope="col">{t.reason}</th>
            <th scope="col">{t.data}</th>
            <th scope="col">{t.place}</th>
          </tr>
        </thead>
        <tbody>
          {r.problems.map((p, i) => (
            <tr key={i}>
              <td class="bad">
                {p.column ? <Raw text={`${p.column}: `} /> : null}
                <span lang="en">{visible(p.reason)}</span>
              </td>
              <td>
                <Raw text={p.text} />
              </td>
              <td>
                <Raw text={p.where} class="dim" />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  </Card>
);

function Effects(props: { effect: Effect; rename: boolean; setRename: (on: boolean) => void; plan: () => void }) {
  const e = props.effect;
  const same = JSON.stringify(e.before) === JSON.stringify(e.after);
  return (
    <>
      {e.planned || (e.faults ?? []).length > 0 ? null : (
        <div class="actions">
          <button type="button" onClick={props.plan}>
            {t.sqlPlan}
          </button>
        </div>
      )}
      {e.renames ? (
        <div>
          <Tick label={t.schemaRename} on={props.rename} set={props.setRename} />
          <p class="dim">{t.schemaRenameText}</p>
        </div>
      ) : null}
      {e.sql !== e.wasSQL ? <Diff title={t.queryDiff} before={e.wasSQL} after={e.sql} /> : null}
      {same ? <p class="dim">{t.outputSame}</p> : <Outputs before={e.before ?? []} after={e.after ?? []} />}
    </>
  );
}

const named = (o: Output | undefined) => (!o ? t.outputNone : `${o.alias === o.name ? o.name : `${o.alias} (${o.name})`} ${o.type}`);

const Outputs = ({ before, after }: { before: Output[]; after: Output[] }) => (
  <Scroll label={t.outputColumns}>
    <table>
      <caption class="hidden">{t.outputColumns}</caption>
      <thead>
        <tr>
          <th scope="col">{t.outputBefore}</th>
          <th scope="col">{t.outputAfter}</th>
        </tr>
      </thead>
      <tbody>
        {Array.from({ length: Math.max(before.length, after.length) }, (_, i) => (
          <tr key={i}>
            <td>
              <Raw text={named(before[i])} />
            </td>
            <td class={named(before[i]) === named(after[i]) ? "" : "warn"}>
              <Raw text={named(after[i])} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  </Scroll>
);

function Save(props: {
  shown: ShownSchema;
  draft: SchemaFile;
  rename: boolean;
  checked: CheckedSchema | null;
  checking: boolean;
  edit: (next: SchemaFile | null) => void;
}) {
  const { shown, checked: c } = props;
  const last = latest("schema");
  const saved = useResult<SavedSchema>(last);
  const faults = c?.faults.length ?? 0;
  const queryChanges = c?.effect !== undefined && c.effect.sql !== c.effect.wasSQL;
  const same = c !== null && faults === 0 && c.text === c.was && !queryChanges;
  const off = !shown.project
    ? t.schemaNoProject
    : shown.problem
      ? visible(shown.problem)
      : !c || props.checking
      ? t.checking
      : faults > 0
        ? t.schemaFaults(faults)
        : same
          ? t.schemaUnchanged
          : c.refused.length > 0
            ? t.schemaRefused
            : busy();
  const run = async () => {
    await begin("api/schema", { schema: props.draft, rename: props.rename, base: c!.base });
  };
  // What was saved is the file now.
  useEffect(() => {
    if (last?.state === "done" && saved && c && c.text === shown.text) props.edit(null);
  }, [saved, shown]);
  return (
    <Card title={t.saveTitle}>
      {faults > 0 ? <p class="bad">{t.schemaFaults(faults)}</p> : null}
      {c && c.refused.length > 0 ? (
        <div class="error">
          <p>{t.schemaRefused}</p>
          <ul lang="en">
            {c.refused.map((why) => (
              <li key={why}>{visible(why)}</li>
            ))}
          </ul>
        </div>
      ) : null}
      {(c?.notes ?? []).map((note) => (
        <p key={note} class="warn" lang="en">
          {visible(note)}
        </p>
      ))}
      {same ? <p class="dim">{t.schemaUnchanged}</p> : c && faults === 0 && c.text !== c.was ? <Diff title={t.schemaDiff} before={c.was} after={c.text} /> : null}
      <p class="dim">{t.schemaSaveText}</p>
      <div class="actions">
        <Change label={t.schemaSave} main off={off} run={run} />
        {same && faults === 0 ? null : (
          <button type="button" onClick={() => props.edit(null)}>
            {shown.file ? t.schemaReset : t.schemaResetRunning}
          </button>
        )}
      </div>
      {last ? <Steps operation={last} /> : null}
      {saved ? (
        <div role="status">
          <p>
            <span class="fine">{t.saved(visible(saved.file))}</span> {saved.queryFile ? t.savedAlso(visible(saved.queryFile)) : ""} {t.savedNext}
          </p>
          <Commands commands={saved.deploy} />
          {about.value?.write ? (
            <p>
              <button type="button" class="quiet" onClick={() => props.edit(JSON.parse(saved.was) as SchemaFile)}>
                {t.takeOld}
              </button>
            </p>
          ) : null}
        </div>
      ) : null}
    </Card>
  );
}
