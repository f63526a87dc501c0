// The report, live: what is owed and what became of it, by class, query, tick and row; and what to do about it.

import { useSignal } from "@preact/signals";
import { Verify } from "./actions";
import { Chart } from "./chart";
import { bytes, count, duration, percent, shortHash, visible } from "./format";
import type { Counts, Epoch, Finding, Judged, Line, Report, Sample } from "./model";
import { busy, latest, Steps, useResult } from "./operation";
import { Repair } from "./repair";
import { about, begin, judged, operations } from "./server";
import { className, classMeaning, hopText, language, said, saidStep, t } from "./text";
import { Card, Change, Commands, Dialog, Fact, Field, Raw, Scroll, Time, Words } from "./ui";

export function ProofView() {
  const state = judged.value;
  const r = state?.report;
  return (
    <>
      <Card title={t.report} side={<Actions report={r ?? null} />}>
        {!state ? <p>{t.loading}</p> : !r ? <p>{ofAudit() ? t.noAudit : `${t.noReport} ${t.noReportSend}`}</p> : <Why state={state} report={r} />}
        <Under />
      </Card>
      {state && r ? <Body state={state} report={r} /> : null}
    </>
  );
}

const ofAudit = () => about.value?.kind === "audit";

const Actions = ({ report }: { report: Report | null }) => (
    <div class="actions">
      {ofAudit() ? (
        <Change label={t.auditNow} main reads off={auditing()} run={() => begin("api/audit", {})} />
      ) : (
        <>
          <Verify main />
          {report ? <Change label={t.verifyFull} off={busy()} run={() => begin("api/verify", { full: true })} /> : null}
        </>
      )}
      {report && report.counts.missing + report.counts.failed > 0 ? (
        <Change label={t.explainNow} reads off={ofAudit() ? auditing() : undefined} run={() => begin("api/explain", {})} />
      ) : null}
    </div>
);

/** Why no audit can begin: one reads the stream at a time. */
const auditing = () => (["audit", "explain", "accept"].some((kind) => latest(kind)?.state === "running") ? t.busy : undefined);

/** The last operation of this view, as long as it runs, failed, or is fresh. */
function Under() {
  const last = latest("verify", "explain", "accept", "audit");
  return last ? <Steps operation={last} /> : null;
}

const Why = ({ state, report }: { state: Judged; report: Report }) => (
  <>
    {(report.reasons ?? []).length > 0 ? (
      <>
        <h3>{t.why}</h3>
        <ul>
          {report.reasons!.map((reason) => (
            <li key={reason}>
              <Words said={said(reason)} />
            </li>
          ))}
        </ul>
      </>
    ) : null}
    {(state.summary?.next ?? []).length > 0 ? (
      <>
        <h3>{t.whatToDo}</h3>
        <ul class="problems">
          {state.summary!.next!.map((step) => (
            <li key={step.class}>
              <div>
                <p>
                  <strong>
                    {className(step.class)}
                    {step.count ? `, ${count(step.count)}` : ""}.
                  </strong>{" "}
                  <Words said={saidStep(step)} />
                </p>
                <Commands commands={step.commands} see={step.see} />
              </div>
            </li>
          ))}
        </ul>
      </>
    ) : null}
    {(report.notes ?? []).length > 0 ? (
      <>
        <h3>{t.notes}</h3>
        <ul>
          {report.notes!.map((note) => (
            <li key={note}>
              <Words said={said(note)} />
            </li>
          ))}
        </ul>
      </>
    ) : null}
  </>
);

function Body({ state, report: r }: { state: Judged; report: Report }) {
  const { summary } = state;
  const ticks = r.ticks ?? [];
  const bad = ticks.filter((tick) => tick.missing + tick.failed > 0);
  const most = 10;
  return (
    <>
      {summary ? (
        <Card title={t.rows}>
          <div class="halves">
            <Lines title={t.rowsOwed} lines={summary.balance} />
            <Lines title={t.alsoFound} lines={summary.besides} />
          </div>
          <p class="dim">{t.balance}</p>
        </Card>
      ) : null}
      <Rows report={r} />
      {ofAudit() ? null : <Repair report={r} />}
      {ticks.length > 0 ? (
        <Card title={t.tickChart}>
          <Chart
            bars
            alt={t.tickChartAlt}
            times={ticks.map((tick) => Date.parse(tick.tick))}
            // The later series stand before the earlier, so each is the sum of those that it covers.
            series={[
              { label: className("missing"), color: "--bad", values: ticks.map((k) => k.delivered + k.rejects + k.inFlight + k.failed + k.missing) },
              { label: className("failed"), color: "--failed", values: ticks.map((k) => k.delivered + k.rejects + k.inFlight + k.failed) },
              { label: className("in flight"), color: "--flight", values: ticks.map((k) => k.delivered + k.rejects + k.inFlight) },
              { label: className("delivered"), color: "--delivered", values: ticks.map((k) => k.delivered + k.rejects) },
            ]}
          />
          {bad.length > 0 ? (
            <>
              <h3>{t.badTicks}</h3>
              <Scroll label={t.badTicks}>
                <table>
                  <thead>
                    <tr>
                      <th scope="col">{t.tick}</th>
                      <th scope="col">{t.state}</th>
                      {(["owed", "delivered", "missing", "failed"] as const).map((cls) => (
                        <th key={cls} scope="col" class="n">
                          {className(cls)}
                        </th>
                      ))}
                    </tr>
                  </thead>
                  <tbody>
                    {bad.slice(-most).map((tick) => (
                      <tr key={tick.tick}>
                        <th scope="row">
                          <Time at={tick.tick} />
                        </th>
                        <td>{tick.state}</td>
                        {(["owed", "delivered", "missing", "failed"] as const).map((cls) => (
                          <td key={cls} class={`n ${cls === "missing" && tick.missing > 0 ? "bad" : ""}`}>
                            {count(tick[cls])}
                          </td>
                        ))}
                      </tr>
                    ))}
                  </tbody>
                </table>
              </Scroll>
              {bad.length > most ? <p class="dim">{t.more(count(bad.length - most))}</p> : null}
            </>
          ) : null}
        </Card>
      ) : null}
      {(r.epochs ?? []).length > 0 ? <Epochs epochs={r.epochs!} /> : null}
      <Covers report={r} />
      {(r.rejects ?? []).length > 0 ? (
        <Card title={t.rejects}>
          <Scroll label={t.rejects}>
            <table>
              <thead>
                <tr>
                  <th scope="col">{t.reason}</th>
                  <th scope="col">{t.prefix}</th>
                  <th scope="col" class="n">
                    {t.lines}
                  </th>
                </tr>
              </thead>
              <tbody>
                {r.rejects!.slice(0, most).map((one) => (
                  <tr key={one.prefix + one.reason}>
                    <td>{visible(one.reason)}</td>
                    <td>
                      <Raw text={one.prefix} />
                    </td>
                    <td class="n">{count(one.count)}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </Scroll>
          {r.rejects!.length > most ? <p class="dim">{t.more(count(r.rejects!.length - most))}</p> : null}
        </Card>
      ) : null}
      {(r.accepted ?? []).length > 0 ? (
        <Card title={t.acceptedTitle}>
          <Scroll label={t.acceptedTitle}>
            <table>
              <thead>
                <tr>
                  <th scope="col">{t.class}</th>
                  <th scope="col" class="n">
                    {t.acceptedCount}
                  </th>
                  <th scope="col" class="n">
                    {t.thereNow}
                  </th>
                  <th scope="col">{t.until}</th>
                  <th scope="col">{t.by}</th>
                  <th scope="col">{t.reason}</th>
                </tr>
              </thead>
              <tbody>
                {r.accepted!.map((one) => (
                  <tr key={one.at + one.class}>
                    <th scope="row">{className(one.class)}</th>
                    <td class="n">{count(one.count)}</td>
                    <td class="n">{count(one.used)}</td>
                    <td>
                      <Time at={one.until} />
                    </td>
                    <td>{visible(one.who)}</td>
                    <td>{visible(one.reason)}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </Scroll>
        </Card>
      ) : null}
      {r.key ? (
        <p class="dim foot">
          {t.fullJSON("")}
          <Raw text={r.key} />
        </p>
      ) : null}
    </>
  );
}

const Lines = (props: { title: string; lines: Line[] }) => (
  <div>
    <h3>{props.title}</h3>
    <table class="lines">
      <thead class="hidden">
        <tr>
          <th scope="col">{t.class}</th>
          <th scope="col">{t.count}</th>
          <th scope="col">{t.meaning}</th>
        </tr>
      </thead>
      <tbody>
        {props.lines.map((line) => (
          <tr key={line.name} class={line.count === 0 ? "zero" : line.fails ? "fails" : ""}>
            <th scope="row">{className(line.name)}</th>
            <td class="n">{count(line.count)}</td>
            <td class="dim">{classMeaning(line.name, line.meaning)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  </div>
);

const faults = ["missing", "failed", "duplicated", "corrupt", "leaked", "unexpected"] as const;

/** Whose findings can be accepted. */
const acceptable = new Set<string>(faults);

/** The outcome of a period, as the report's page says it. */
function outcome(c: Counts | undefined): string {
  if (!c) return t.noNumber;
  const found = faults.filter((cls) => c[cls] > 0).map((cls) => `${className(cls)} ${count(c[cls])}`);
  const owed = `${className("owed")} ${count(c.owed)}`;
  return `${owed}: ${found.length > 0 ? new Intl.ListFormat(language).format(found) : t.asOwed}`;
}

const Epochs = ({ epochs }: { epochs: Epoch[] }) => (
  <Card title={t.epochs}>
    <Scroll label={t.epochs}>
      <table>
        <thead>
          <tr>
            <th scope="col">{t.pipeline}</th>
            <th scope="col">{t.from}</th>
            <th scope="col" class="n">
              {t.ticks}
            </th>
            <th scope="col">{t.result}</th>
          </tr>
        </thead>
        <tbody>
          {epochs.map((e, i) => {
            const begun = e.from ?? e.first;
            return (
              <tr key={i}>
                <th scope="row">
                  {e.pipelines.map((hash) => (
                    <span key={hash}>
                      <Raw text={shortHash(hash)} />{" "}
                    </span>
                  ))}
                  {e.current ? <span class="badge">{t.now}</span> : null}
                  {e.rolledBack ? <span class="badge">{t.rolledBack}</span> : null}
                  {e.from && !e.clean && !e.rolledBack ? <span class="badge">{t.forced}</span> : null}
                </th>
                <td>{begun ? <Time at={begun} /> : t.noNumber}</td>
                <td class="n">{count(e.ticks)}</td>
                <td class={faults.some((cls) => (e.counts?.[cls] ?? 0) > 0) ? "bad" : ""}>
                  {e.notJudged ? t.notJudgedBecause(e.notJudged) : outcome(e.counts)}
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </Scroll>
  </Card>
);

function Covers({ report: r }: { report: Report }) {
  const c = r.covers;
  const d = r.delay;
  return (
    <div class="halves">
      <Card title={t.covers}>
        <dl class="facts">
          <Fact name={t.ticks}>
            {count(c.ticks)}
            {c.ticksUnsettled ? `, ${t.unsettled(count(c.ticksUnsettled))}` : ""}
          </Fact>
          {c.from && c.to ? (
            <>
              <Fact name={t.firstTick}>
                <Time at={c.from} />
              </Fact>
              <Fact name={t.latestTick}>
                <Time at={c.to} />
              </Fact>
            </>
          ) : null}
          <Fact name={t.recordsSent}>{count(c.records)}</Fact>
          <Fact name={t.rowsFound}>{count(c.rows)}</Fact>
          <Fact name={t.objects}>
            {count(c.objects)}, {bytes(c.bytes)}
          </Fact>
          <Fact name={t.errorObjects}>{count(c.errorObjects)}</Fact>
          <Fact name={t.deadline}>{duration(c.deliveryDeadlineSeconds)}</Fact>
          <Fact name={t.prefix}>
            <Raw text={`${r.bucket}/${r.prefix}`} />
          </Fact>
        </dl>
      </Card>
      {d && d.rows > 0 ? (
        <Card title={t.delay}>
          <dl class="facts">
            <Fact name={t.p50}>{duration(d.p50)}</Fact>
            <Fact name={t.p95}>{duration(d.p95)}</Fact>
            <Fact name={t.slowest}>{duration(d.max)}</Fact>
          </dl>
          {r.shards ? <ByShard shards={r.shards} /> : null}
        </Card>
      ) : r.shards ? (
        <Card title={t.bySharded}>
          <ByShard shards={r.shards} />
        </Card>
      ) : null}
    </div>
  );
}

function ByShard({ shards }: { shards: Record<string, number> }) {
  const all = Object.values(shards).reduce((a, b) => a + b, 0);
  return (
    <table>
      <thead>
        <tr>
          <th scope="col">{t.shard}</th>
          <th scope="col" class="n">
            {t.records}
          </th>
          <th scope="col" class="n">
            {t.share}
          </th>
        </tr>
      </thead>
      <tbody>
        {Object.entries(shards)
          .sort(([a], [b]) => (a < b ? -1 : 1))
          .map(([id, n]) => (
            <tr key={id}>
              <th scope="row">
                <Raw text={id} />
              </th>
              <td class="n">{count(n)}</td>
              <td class="n">{all === 0 ? t.noNumber : percent(n / all)}</td>
            </tr>
          ))}
      </tbody>
    </table>
  );
}

/** The samples of every class, the ones that fail the verdict first, with where each row was last. */
function Rows({ report: r }: { report: Report }) {
  const explained = operations.value.find((o) => o.kind === "explain" && o.hasResult);
  const fresh = useResult<{ findings?: Finding[] | null }>(explained);
  const findings = [...(fresh?.findings ?? []), ...(r.lastSeen ?? [])];
  const accepting = useSignal<{ cls: string; count: number } | null>(null);
  const classes = [...faults, "undecided", "foreign"].filter((cls) => (r.samples?.[cls] ?? []).length > 0);
  if (classes.length === 0) return null;
  return (
    <Card title={t.rowsTitle}>
      <p class="dim">
        {t.rowsIntro} {r.counts.missing + r.counts.failed > 0 && findings.length === 0 ? t.explainHint : ""}
      </p>
      {classes.map((cls) => {
        const n = (r.counts as unknown as Record<string, number>)[cls] ?? 0;
        return (
          <div key={cls}>
            <div class="card-head">
              <h3>
                {className(cls)} <span class="dim">{count(n)}</span>
              </h3>
              {acceptable.has(cls) ? (
                <Change
                  label={t.accept}
                  off={busy()}
                  run={() => {
                    accepting.value = { cls, count: n };
                  }}
                />
              ) : null}
            </div>
            <ul class="rows">
              {r.samples![cls]!.slice(0, 20).map((sample, i) => (
                <Row key={i} cls={cls} sample={sample} findings={findings} />
              ))}
            </ul>
          </div>
        );
      })}
      {accepting.value ? <Accept {...accepting.value} close={() => (accepting.value = null)} /> : null}
    </Card>
  );
}

function Row({ cls, sample, findings }: { cls: string; sample: Sample; findings: Finding[] }) {
  const seen = findings.filter(
    (f) => f.class === cls && f.row === sample.row && (!sample.tick || Date.parse(f.tick) === Date.parse(sample.tick)),
  );
  const f = seen[0];
  return (
    <li>
      <Raw text={sample.row} class="row" />
      <p class="dim">
        {sample.count > 1 ? `× ${count(sample.count)} · ` : ""}
        {sample.tick ? (
          <>
            {t.tick} <Time at={sample.tick} />{" "}
          </>
        ) : null}
        {sample.object ? <Raw text={`${sample.object}${sample.line ? `:${sample.line}` : ""}`} /> : null}
        {sample.reason ? <span lang="en"> {visible(sample.reason)}</span> : null}
      </p>
      {f ? <Way finding={f} /> : null}
    </li>
  );
}

type Seen = "yes" | "no" | "unknown";
const hops = ["producer", "stream", "analytics", "delivery", "bucket"] as const;

/** How far a row came: whether each part had it. */
function way(hop: string): Seen[] {
  switch (hop) {
    case "not in the stream":
      return ["yes", "no", "no", "no", "no"];
    case "in the stream":
      return ["yes", "yes", "unknown", "no", "no"];
    case "among the rejects":
      return ["yes", "yes", "yes", "no", "no"];
    case "under processing-failed":
      return ["yes", "yes", "yes", "yes", "no"];
    case "in the data":
      return ["yes", "yes", "yes", "yes", "yes"];
    default:
      return ["yes", "unknown", "unknown", "unknown", "no"];
  }
}

const seenText = { yes: t.hopSeen, no: t.hopNot, unknown: t.hopUnknown };
const seenSign = { yes: "✓", no: "✗", unknown: "?" };

const Way = ({ finding: f }: { finding: Finding }) => (
  <div class="way">
    <ol aria-label={t.hops}>
      {way(f.hop).map((seen, i) => (
        <li key={i} class={seen}>
          <span aria-hidden="true">{seenSign[seen]}</span> {t[`hop_${hops[i]!}`]}
          <span class="hidden">: {seenText[seen]}</span>
        </li>
      ))}
    </ol>
    <p>
      {language === "en" ? visible(f.text) : hopText(f.hop)}
      {f.candidates > f.count ? ` ${t.candidates(count(f.candidates))}` : ""}
    </p>
    {(f.records ?? []).slice(0, 1).map((record) => (
      <p key={record.index} class="dim">
        {t.key} <Raw text={record.partitionKey} />
        {(record.places ?? []).map((place) => (
          <span key={place.sequenceNumber}>
            {" · "}
            <Raw text={place.shard} /> · {t.sequence} <Raw text={place.sequenceNumber} />
          </span>
        ))}
      </p>
    ))}
    {f.object ? (
      <p class="dim">
        <Raw text={`${f.object}${f.line ? `:${f.line}` : ""}`} /> {f.reason ? <span lang="en">{visible(f.reason)}</span> : null}
      </p>
    ) : null}
  </div>
);

function Accept(props: { cls: string; count: number; close: () => void }) {
  const reason = useSignal("");
  const who = useSignal("");
  const n = useSignal(String(props.count));
  const run = async () => {
    await begin("api/accept", { class: props.cls, count: Number(n.value), reason: reason.value, who: who.value });
    props.close();
  };
  return (
    <Dialog title={t.acceptTitle(className(props.cls))} close={props.close}>
      <p>{t.acceptText}</p>
      <Field label={t.acceptCount}>
        {(id) => (
          <input
            id={id}
            type="number"
            min="1"
            max={props.count}
            value={n.value}
            onInput={(e) => (n.value = e.currentTarget.value)}
          />
        )}
      </Field>
      <Field label={t.acceptReason}>
        {(id) => <input id={id} type="text" value={reason.value} onInput={(e) => (reason.value = e.currentTarget.value)} />}
      </Field>
      <Field label={t.acceptWho}>
        {(id) => <input id={id} type="text" value={who.value} onInput={(e) => (who.value = e.currentTarget.value)} />}
      </Field>
      <div class="actions">
        <Change label={t.acceptDo} main run={run} />
        <button type="button" onClick={props.close}>
          {t.cancel}
        </button>
      </div>
    </Dialog>
  );
}
