// What can be done to the stack from every view.

import { useSignal } from "@preact/signals";
import { busy } from "./operation";
import type { Query } from "./model";
import { about, begin, flow, get } from "./server";
import { t } from "./text";
import { Change, Dialog, Field } from "./ui";

export const Verify = (props: { main?: boolean }) => (
  <Change label={t.verifyNow} main={props.main ?? false} off={busy()} run={() => begin("api/verify", { full: false })} />
);

export const Resume = () => <Change label={t.op_resume} main off={busy()} run={() => begin("api/resume", {})} />;

const usual = 200;

/** Sends a tick, of as many records as the reader chooses. */
export function Produce() {
  const open = useSignal(false);
  const records = useSignal(String(usual));
  const poison = useSignal("0");
  const key = useSignal("");
  const columns = useSignal<string[]>([]);
  const most = about.value?.maxRecords;
  if (!most) return null;
  const run = async () => {
    await begin("api/produce", { records: Number(records.value), poison: Number(poison.value), key: key.value });
    open.value = false;
  };
  return (
    <>
      <Change
        label={`${t.produce}…`}
        off={busy()}
        run={() => {
          open.value = true;
          get<Query>("api/query").then(
            (query) => (columns.value = (query.columns ?? []).map((c) => c.name)),
            () => undefined, // the stack's key is left, and the uniform one
          );
        }}
      />
      {open.value ? (
        <Dialog title={t.produce} close={() => (open.value = false)}>
          <p>{t.produceText}</p>
          <Field label={t.records}>
            {(id) => (
              <input id={id} type="number" min="1" max={most} value={records.value} onInput={(e) => (records.value = e.currentTarget.value)} />
            )}
          </Field>
          <Field label={t.poison}>
            {(id) => <input id={id} type="number" min="0" max={most} value={poison.value} onInput={(e) => (poison.value = e.currentTarget.value)} />}
          </Field>
          <Field label={t.key}>
            {(id) => (
              <select id={id} value={key.value} onInput={(e) => (key.value = e.currentTarget.value)}>
                <option value="">{t.keyOfStack(flow.value?.producer?.partitionKey ?? "")}</option>
                <option value="uniform">{t.keyUniform}</option>
                {columns.value.map((name) => (
                  <option key={name}>{name}</option>
                ))}
              </select>
            )}
          </Field>
          <div class="actions">
            <Change label={t.produce} main run={run} />
            <button type="button" onClick={() => (open.value = false)}>
              {t.cancel}
            </button>
          </div>
        </Dialog>
      ) : null}
    </>
  );
}
