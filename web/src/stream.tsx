// The records of the stream as they arrive. The page shows what it can and says what it left out.

import { signal, useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { Produce } from "./actions";
import { bytes, count, percent, rate, visible } from "./format";
import type { HotKey, Query, Tail, TailRecord } from "./model";
import { latest, Steps } from "./operation";
import { get, watchTail } from "./server";
import { t } from "./text";
import { Card, Field, Raw, Scroll, Time } from "./ui";

const kept = 500; // records
const shown = 100;

interface State {
  records: TailRecord[]; // the newest first
  perSecond: number;
  dropped: number;
  skipped: boolean;
  hot: HotKey[];
}
const nothing: State = { records: [], perSecond: 0, dropped: 0, skipped: false, hot: [] };

// Whether new records wait. Opening one makes them, so that it stays where it is.
const held = signal(false);

export function StreamView() {
  const state = useSignal(nothing);
  const shard = useSignal("");
  const columns = useSignal<string[]>([]);
  const last = latest("produce");
  useEffect(() => {
    // Batches come up to four times a second; the page is drawn once for each frame that has any.
    let waiting: Tail[] = [];
    let frame = 0;
    const draw = () => {
      frame = 0;
      const next = { ...state.value };
      for (const batch of waiting) {
        next.perSecond = batch.seconds > 0 ? batch.read / batch.seconds : 0;
        next.dropped += batch.dropped;
        next.skipped = batch.skipped;
        next.hot = batch.hotKeys ?? [];
      }
      const fresh = waiting.flatMap((batch) => batch.records).slice(-kept);
      next.records = [...fresh.reverse(), ...next.records].slice(0, kept);
      waiting = [];
      state.value = next;
    };
    const stop = watchTail((batch) => {
      if (held.value) return;
      waiting.push(batch);
      frame ||= requestAnimationFrame(draw);
    });
    get<Query>("api/query").then(
      (query) => (columns.value = (query.columns ?? []).map((c) => c.name)),
      () => undefined, // the rows have no heading then
    );
    return () => {
      held.value = false;
      open.value = new Set();
      cancelAnimationFrame(frame);
      stop();
    };
  }, []);
  const s = state.value;
  const shards = [...new Set(s.records.map((r) => r.shard))].sort();
  const records = s.records.filter((r) => !shard.value || r.shard === shard.value);
  return (
    <>
      <Card
        title={t.tail}
        side={
          <div class="actions">
            <Field label={t.shard}>
              {(id) => (
                <select id={id} value={shard.value} onChange={(e) => (shard.value = e.currentTarget.value)}>
                  <option value="">{t.tailAll}</option>
                  {shards.map((one) => (
                    <option key={one} value={one}>
                      {visible(one)}
                    </option>
                  ))}
                </select>
              )}
            </Field>
            <button type="button" aria-pressed={held.value} onClick={() => (held.value = !held.value)}>
              {held.value ? t.tailGo : t.tailPause}
            </button>
            <Produce />
          </div>
        }
      >
        <p>
          {t.tailRate(rate(s.perSecond))}{" "}
          {s.dropped > 0 || s.skipped ? <strong class="warn">{s.dropped > 0 ? t.tailDropped(count(s.dropped)) : t.tailSkipped}</strong> : null}
        </p>
        {last ? <Steps operation={last} /> : null}
        {records.length === 0 ? <p class="dim">{t.tailNone}</p> : <Records records={records.slice(0, shown)} columns={columns.value} />}
      </Card>
      {s.hot.length > 0 ? <HotKeys keys={s.hot} /> : null}
    </>
  );
}

const Records = ({ records, columns }: { records: TailRecord[]; columns: string[] }) => (
  <Scroll label={t.tail} class="data">
    <table>
      <thead>
        <tr>
          <th scope="col">{t.arrival}</th>
          <th scope="col">{t.shard}</th>
          <th scope="col">{t.key}</th>
          <th scope="col" class="n">
            {t.size}
          </th>
          <th scope="col">{t.data}</th>
          <th scope="col">{t.sequence}</th>
        </tr>
      </thead>
      <tbody>
        {records.map((r) => (
          <tr key={r.shard + r.sequenceNumber}>
            <td>
              <Time at={r.arrival} short />
            </td>
            <td>
              <Raw text={r.shard.replace(/^shardId-0*(?=\d)/, "")} />
            </td>
            <td>
              <Raw text={r.partitionKey} />
            </td>
            <td class="n">{bytes(r.bytes)}</td>
            <td>
              <Data record={r} columns={columns} />
            </td>
            <td>
              <Raw text={r.sequenceNumber} class="dim" />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  </Scroll>
);

// Which records are open.
const open = signal<ReadonlySet<string>>(new Set());

function Data({ record: r, columns }: { record: TailRecord; columns: string[] }) {
  const id = r.shard + r.sequenceNumber;
  const is = open.value.has(id);
  const toggle = () => {
    const next = new Set(open.value);
    if (!next.delete(id)) {
      next.add(id);
      held.value = true;
    }
    open.value = next;
  };
  return (
    <>
      <button type="button" class="quiet peek" aria-expanded={is} onClick={toggle}>
        {r.aggregate ? <span class="badge">{t.packs(count(r.aggregate))}</span> : null}
        {r.problems?.length ? <span class="badge failed">{t.notARow}</span> : null}
        <Raw text={r.data.trimEnd()} />
      </button>
      {is ? (
        <div class="opened">
          {(r.problems ?? []).map((problem) => (
            <p key={problem} class="bad" lang="en">
              {visible(problem)}
            </p>
          ))}
          {(r.rows ?? []).map((row, i) => (
            <dl key={i} class="facts">
              {row.map((value, k) => (
                <div key={k}>
                  <dt>{visible(columns[k] ?? `COL${k}`)}</dt>
                  <dd>{value === null ? <span class="dim">NULL</span> : <Raw text={value} />}</dd>
                </div>
              ))}
            </dl>
          ))}
        </div>
      ) : null}
    </>
  );
}

const HotKeys = ({ keys }: { keys: HotKey[] }) => (
  <Card title={t.hotKeys}>
    <Scroll label={t.hotKeys}>
      <table>
        <thead>
          <tr>
            <th scope="col">{t.key}</th>
            <th scope="col">{t.shard}</th>
            <th scope="col" class="n">
              {t.records}
            </th>
            <th scope="col" class="n">
              {t.size}
            </th>
            <th scope="col" class="n">
              {t.ofShard}
            </th>
          </tr>
        </thead>
        <tbody>
          {keys.map((one) => (
            <tr key={one.shard + one.key}>
              <th scope="row">
                <Raw text={one.key} />
              </th>
              <td>
                <Raw text={one.shard.replace(/^shardId-0*(?=\d)/, "")} />
              </td>
              <td class="n">{count(one.records)}</td>
              <td class="n">{bytes(one.bytes)}</td>
              <td class="n">{percent(one.share)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  </Card>
);
