// A repair: first what it would do, then the repair itself, and the verdict after it.

import { useSignal } from "@preact/signals";
import { bytes, count, visible } from "./format";
import type { Report, RepairResult } from "./model";
import { busy, latest, Steps, useResult } from "./operation";
import { begin, operations } from "./server";
import { className, leftText, t } from "./text";
import { Card, Change, Fact, Field, Raw, Scroll, Time } from "./ui";

const repairable = ["missing", "failed", "duplicated", "corrupt"] as const;
const usualMargin = 5; // minutes
const mostObjects = 10;

/** Puts right what the report names. It stays while a repair of this console has something to show. */
export function Repair({ report: r }: { report: Report }) {
  const without = useSignal<string[]>([]);
  const margin = useSignal(String(usualMargin));
  const planned = useSignal<{ id: string; order: string } | null>(null);
  const found = repairable.filter((cls) => r.counts[cls] > 0);
  const done = latest("repair");
  const plan = operations.value.find((o) => o.id === planned.value?.id);
  const result = useResult<RepairResult>(plan);
  if (found.length === 0 && !done) return null;

  const order = { classes: found.filter((cls) => !without.value.includes(cls)), marginSeconds: Number(margin.value) * 60 };
  const current = planned.value?.order === JSON.stringify(order) ? result : null;
  // A repair that was begun after the plan has made it old.
  const stale = plan && done && Number(done.id) > Number(plan.id);
  const say = async () => {
    planned.value = { id: await begin("api/repair/plan", order), order: JSON.stringify(order) };
  };
  const why = !current || stale ? t.repairPlanFirst : isEmpty(current) ? t.repairNothing : busy();
  return (
    <Card title={t.op_repair}>
      {found.length > 0 ? (
        <>
          <p>{t.repairText}</p>
          <fieldset>
            <legend>{t.class}</legend>
            {found.map((cls) => (
              <label key={cls}>
                <input
                  type="checkbox"
                  checked={!without.value.includes(cls)}
                  onInput={(e) =>
                    (without.value = e.currentTarget.checked ? without.value.filter((c) => c !== cls) : [...without.value, cls])
                  }
                />{" "}
                {className(cls)} <span class="dim">{count(r.counts[cls])}</span>
              </label>
            ))}
          </fieldset>
          <Field label={t.repairMargin}>
            {(id) => <input id={id} type="number" min="0" value={margin.value} onInput={(e) => (margin.value = e.currentTarget.value)} />}
          </Field>
          <div class="actions">
            <Change label={t.repairPlan} reads off={order.classes.length === 0 ? t.repairNoClass : undefined} run={say} />
            <Change label={t.repairDo} main off={why} run={() => begin("api/repair", order)} />
          </div>
        </>
      ) : null}
      {plan && !stale ? (
        <>
          <Steps operation={plan} />
          {current ? <Planned result={current} /> : null}
        </>
      ) : null}
      {done ? <Done key={done.id} /> : null}
    </Card>
  );
}

const isEmpty = (r: RepairResult) => (r.writes ?? []).length + (r.objects ?? []).length === 0 && !r.unfinished;

/** The last repair, and the verdict after it. */
function Done() {
  const done = latest("repair")!;
  const result = useResult<RepairResult>(done);
  return (
    <>
      <Steps operation={done} />
      {result ? <Planned result={result} /> : null}
      {result?.after ? (
        <p class={result.after.verdict === "PROVEN" ? "fine" : "bad"}>
          {t.repairAfter(t[result.before?.verdict ?? "UNDECIDED"], t[result.after.verdict])}
        </p>
      ) : null}
    </>
  );
}

/** What a repair would do, or has done. */
function Planned({ result: r }: { result: RepairResult }) {
  const writes = r.writes ?? [];
  const objects = r.objects ?? [];
  const sum = (all: number[]) => all.reduce((a, b) => a + b, 0);
  const lines = (by: Record<string, number> | undefined) =>
    repairable
      .filter((cls) => by?.[cls])
      .map((cls) => `${className(cls)} ${count(by![cls]!)}`)
      .join(", ");
  const rows = [
    ...writes.map((w) => ({ key: w.key, bytes: w.bytes, lines: lines({ missing: w.missing ?? 0, failed: w.failed ?? 0 }) })),
    ...objects.map((o) => ({ key: o.key, bytes: o.size, lines: lines(o.removed) })),
  ];
  return (
    <>
      {r.unfinished ? <p>{t.repairUnfinished}</p> : null}
      {isEmpty(r) ? <p>{t.repairNothing}</p> : null}
      {rows.length > 0 ? (
        <dl class="facts">
          {writes.length > 0 ? (
            <Fact name={r.written ? t.repairWritten : t.repairWrites}>
              {t.objectsN(count(writes.length), writes.length)}, {bytes(sum(writes.map((w) => w.bytes)))}
              <span class="dim block">{lines(r.rows)}</span>
            </Fact>
          ) : null}
          {objects.length > 0 ? (
            <Fact name={r.written ? t.repairRewritten : t.repairRewrites}>
              {t.objectsN(count(objects.length), objects.length)}, {bytes(sum(objects.map((o) => o.size)))}
              <span class="dim block">{t.repairWithout(lines(r.removed))}</span>
            </Fact>
          ) : null}
        </dl>
      ) : null}
      {r.stillCome ? (
        <p>
          {t.repairStillCome(count(r.stillCome))} {r.stillComeUntil ? <Time at={r.stillComeUntil} /> : null}
        </p>
      ) : null}
      {(r.left ?? []).length > 0 ? (
        <>
          <h3>{t.repairLeft}</h3>
          <ul>
            {r.left!.map((left, i) => (
              <li key={i}>
                {className(left.class)} {count(left.count)}: {visible(leftText(left.why))}
              </li>
            ))}
          </ul>
        </>
      ) : null}
      {(r.changed ?? []).map((key) => (
        <p key={key} class="bad">
          {t.repairChanged} <Raw text={key} />
        </p>
      ))}
      {rows.length > 0 ? (
        <Scroll label={t.objects}>
          <table>
            <thead>
              <tr>
                <th scope="col">{t.object}</th>
                <th scope="col" class="n">
                  {t.size}
                </th>
                <th scope="col">{t.rows}</th>
              </tr>
            </thead>
            <tbody>
              {rows.slice(0, mostObjects).map((row) => (
                <tr key={row.key}>
                  <th scope="row">
                    <Raw text={row.key} />
                  </th>
                  <td class="n">{bytes(row.bytes)}</td>
                  <td>{row.lines}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </Scroll>
      ) : null}
      {rows.length > mostObjects ? <p class="dim">{t.more(count(rows.length - mostObjects))}</p> : null}
    </>
  );
}
