// The first view: the pipeline as a picture, live, with what is wrong before everything else.

import { effect, signal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { Produce, Resume, Verify } from "./actions";
import { Chart } from "./chart";
import { age, bytes, count, duration, percent, rate, shortHash, visible } from "./format";
import type { Arrow, ArrowID, Flow, PartID, Problem, Severity, Shard } from "./model";
import { latest, Steps } from "./operation";
import { flow } from "./server";
import { language, saidProblem, t } from "./text";
import { Card, Commands, Fact, Raw, Words } from "./ui";
import { countOf } from "./verdict";

export function FlowView() {
  const f = flow.value;
  if (!f) return null;
  const todo = f.problems.filter((p) => p.severity !== "note");
  const notes = f.problems.filter((p) => p.severity === "note");
  const asks = (command: string) => f.problems.some((p) => p.commands?.includes(command));
  const last = latest("verify", "produce", "resume", "pause");
  return (
    <>
      <Card
        title={t.whatToDo}
        class={todo[0]?.severity ?? "good"}
        side={
          <div class="actions">
            {asks("streamproof resume") ? <Resume /> : null}
            <Verify main={asks("streamproof verify")} />
            {f.producer ? <Produce /> : null}
          </div>
        }
      >
        {todo.length > 0 ? <Problems of={todo} /> : <p class={f.connected ? "fine" : "dim"}>{f.connected ? t.nothingToDo : t.unknown}</p>}
        {last ? <Steps operation={last} /> : null}
      </Card>
      <Card title={t.picture} class="picture">
        <Picture f={f} />
        {f.audits ? <p class="dim">{t.watching(visible(f.audits))}</p> : null}
      </Card>
      <div class="halves">
        <Card title={t.shards}>
          <Shards f={f} />
        </Card>
        <Card title={t.ratesChart}>
          <Rates />
        </Card>
      </div>
      {notes.length > 0 ? (
        <Card title={t.notes}>
          <Problems of={notes} />
        </Card>
      ) : null}
    </>
  );
}

const signs: Record<Severity | "good", string> = { good: "✓", wrong: "✗", open: "!", note: "i" };

const Problems = (props: { of: Problem[] }) => (
  <ul class="problems">
    {props.of.map((p) => (
      <li key={p.id + p.text} class={p.severity}>
        <span class="sign" aria-hidden="true">
          {signs[p.severity]}
        </span>
        <div>
          <p>
            <strong>{t[p.part]}.</strong> <Words said={saidProblem(p, countOf)} />
          </p>
          <Commands commands={p.commands} see={p.see} />
        </div>
      </li>
    ))}
  </ul>
);

type State = Severity | "good" | "unknown";

/** The state of a part: that of its worst problem. */
function stateOf(f: Flow, part: PartID): State {
  if (!f.connected) return "unknown";
  return f.problems.find((p) => p.part === part)?.severity ?? "good";
}

function Picture({ f }: { f: Flow }) {
  const arrow = (id: ArrowID) => f.arrows.find((a) => a.id === id);
  const { producer, stream, analytics: a, delivery: d, bucket } = f;
  return (
    <ol class={`flow ${f.connected ? "" : "stale"}`}>
      {producer ? (
        <Part part="producer" state={stateOf(f, "producer")} name={producer.function}>
          <Fact name={t.schedule}>
            <Raw text={producer.expression || producer.schedule} /> {producer.scheduleState}
          </Fact>
          <Fact name={t.lastTick}>
            {producer.lastTick ? (
              <>
                {t.recordsN(count(producer.lastTick.records), producer.lastTick.records)}
                <span class="dim block">{t.ago(duration(age(producer.lastTick.tick)))}</span>
              </>
            ) : (
              t.none
            )}
          </Fact>
        </Part>
      ) : null}
      <Link arrow={arrow("produced")} unit={t.recordsPerSecond} />
      <Part
        part="stream"
        state={stateOf(f, "stream")}
        name={stream.name}
        after={<Bars shards={stream.shards ?? []} />}
      />
      {a ? (
        <>
          <Link arrow={arrow("read")} unit={t.recordsPerSecond} />
          <Part
            part="analytics"
            state={stateOf(f, "analytics")}
            name={a.application}
            after={
              a.page?.startsWith("http://127.0.0.1:") ? (
                <a href={a.page} target="_blank" rel="noreferrer noopener">
                  {t.flinkPage}
                </a>
              ) : null
            }
          >
            <Fact name={t.state}>
              {a.status}
              {a.job && a.job.toUpperCase() !== a.status ? ` · ${a.job}` : ""}
            </Fact>
            <Fact name={t.checkpoint}>
              {a.checkpointAgeSeconds === null ? t.noNumber : t.ago(duration(a.checkpointAgeSeconds))}
            </Fact>
            <Fact name={t.lag}>{a.lagSeconds === null ? t.noNumber : duration(a.lagSeconds)}</Fact>
            <Fact name={t.restarts} tone={a.restarts ? "open" : ""}>
              {a.restarts === null ? t.noNumber : count(a.restarts)}
            </Fact>
            {a.pipeline ? (
              <Fact name={t.query}>
                <Raw text={shortHash(a.pipeline)} />
              </Fact>
            ) : null}
            {a.lastError && a.lastErrorAt ? (
              <Fact name={t.lastError}>
                <details>
                  <summary>{t.ago(duration(age(a.lastErrorAt)))}</summary>
                  <Raw text={a.lastError} />
                </details>
              </Fact>
            ) : null}
          </Part>
        </>
      ) : null}
      {d ? (
        <>
          <Link arrow={arrow("rows")} unit={t.rowsPerSecond} />
          <Part part="delivery" state={stateOf(f, "delivery")} name={d.deliveryStream}>
            <Fact name={t.buffer}>
              {t.bufferOf(d.bufferSizeMB, d.bufferIntervalSeconds)}
              {d.waiting ? <Fill waiting={d.waiting} /> : null}
            </Fact>
            {d.oldestSeconds === null ? null : <Fact name={t.oldest}>{duration(d.oldestSeconds)}</Fact>}
            <Fact name={t.format}>
              {[d.outputFormat, d.transform === "none" ? "" : `→ ${d.transform}`, d.compression === "none" ? "" : d.compression]
                .filter(Boolean)
                .join(" ")}
            </Fact>
            {d.success === null ? null : <Fact name={t.success}>{percent(d.success)}</Fact>}
          </Part>
        </>
      ) : null}
      {f.audits ? null : (
        <>
          <Link arrow={arrow("delivered")} unit="" />
          <Part part="bucket" state={stateOf(f, "bucket")} name={`${bucket.bucket}/${bucket.prefix}`}>
            <Fact name={t.objects}>
              {bucket.objects === null ? t.noNumber : count(bucket.objects)}
              {bucket.bytes === null ? "" : `, ${bytes(bucket.bytes)}`}
              {bucket.since ? <span class="dim block">{t.since(bucket.since.slice(0, 10))}</span> : null}
            </Fact>
            <Fact name={t.errorPrefixes}>
              {(bucket.errors ?? []).every((e) => e.objects === 0)
                ? t.noErrors
                : (bucket.errors ?? [])
                    .filter((e) => e.objects > 0)
                    .map((e) => (
                      <span key={e.prefix} class="block">
                        {t.objectsN(count(e.objects), e.objects)} <Raw text={e.prefix} />
                      </span>
                    ))}
            </Fact>
          </Part>
        </>
      )}
    </ol>
  );
}

function Part(props: { part: PartID; state: State; name: string; children?: ComponentChildren; after?: ComponentChildren }) {
  const { part, state } = props;
  const label = state === "unknown" ? t.unknown : t[`state_${state}`];
  return (
    <li class={`part ${state}`}>
      <div class="part-head">
        <Icon part={part} />
        <h3>{t[part]}</h3>
        <span class="badge">
          <span aria-hidden="true">{state === "unknown" ? "?" : signs[state]}</span> {label}
        </span>
      </div>
      <p class="part-name">
        <Raw text={props.name} />
      </p>
      {props.children ? <dl>{props.children}</dl> : null}
      {props.after}
    </li>
  );
}

const icons: Record<PartID, string> = {
  producer: "M4 20V10l5 3v-3l5 3V4h6v16zM8 16h2M14 16h2",
  stream: "M3 8c3-3 6-3 9 0s6 3 9 0M3 13c3-3 6-3 9 0s6 3 9 0M3 18c3-3 6-3 9 0s6 3 9 0",
  analytics: "M4 5h16l-6 8v6l-4 2v-8z",
  delivery: "M3 7h11v10H3zM14 10h4l3 3v4h-7zM7 19.5a1.5 1.5 0 1 0 0-3 1.5 1.5 0 0 0 0 3zM17 19.5a1.5 1.5 0 1 0 0-3 1.5 1.5 0 0 0 0 3z",
  bucket: "M4 6c0-2 16-2 16 0s-16 2-16 0zM4 6l2 14c0 1.5 12 1.5 12 0l2-14",
  proof: "M4 12l5 5L20 6",
};

const Icon = ({ part }: { part: PartID }) => (
  <svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
    <path d={icons[part]} />
  </svg>
);

/** An arrow of the picture, with what goes along it. It moves while something does. */
function Link(props: { arrow: Arrow | undefined; unit: string }) {
  const a = props.arrow;
  if (!a) return null;
  const records = a.recordsPerSecond;
  const moves = (records ?? 0) > 0 || (a.bytesPerSecond ?? 0) > 0;
  const main = records !== null ? rate(records) : a.bytesPerSecond !== null ? t.perSecond(bytes(a.bytesPerSecond)) : t.noNumber;
  return (
    <li class={`link ${moves ? "moves" : ""}`} title={a.source && language === "en" ? t.measuredBy(a.source) : undefined}>
      <span class="hidden">{t[`arrow_${a.id}`]}: </span>
      <span class="link-rate">
        <strong>{main}</strong>
        {records !== null ? <span class="unit">{props.unit || t.recordsPerSecond}</span> : null}
      </span>
      <svg class="across" viewBox="0 0 100 16" preserveAspectRatio="none" aria-hidden="true">
        <path class="line" d="M0 8H92" />
        <path class="dash" d="M0 8H92" />
        <path class="head" d="M88 2L100 8L88 14z" />
      </svg>
      <svg class="down" viewBox="0 0 16 40" aria-hidden="true">
        <path class="line" d="M8 0V32" />
        <path class="dash" d="M8 0V32" />
        <path class="head" d="M2 28L8 40L14 28z" />
      </svg>
      <span class="link-bytes dim">
        {records !== null && a.bytesPerSecond !== null ? t.perSecond(bytes(a.bytesPerSecond)) : "\u00a0"}
      </span>
    </li>
  );
}

/** How full the delivery stream's buffer is. Records there are packed rows. */
const Fill = ({ waiting: w }: { waiting: NonNullable<NonNullable<Flow["delivery"]>["waiting"]> }) => (
  <span class="meter">
    <svg viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">
      <rect class="track" width="100" height="8" />
      <rect class="full" width={w.part * 100} height="8" />
    </svg>
    <span class="dim">{w.records === 0 ? t.bufferEmpty : t.bufferHolds(count(w.records), bytes(w.bytes))}</span>
  </span>
);

/** How full a shard is: the larger of its two parts of a limit. */
const fill = (s: Shard, limit: number, limitBytes: number) =>
  Math.min(1, Math.max((s.recordsPerSecond ?? 0) / limit, (s.bytesPerSecond ?? 0) / limitBytes));

const maxBars = 16;

/** The shards as bars in the picture. What went into each so far is the fill, because a shard may be quiet just now. */
function Bars(props: { shards: Shard[] }) {
  const shards = props.shards.slice(0, maxBars);
  const most = Math.max(1, ...shards.map((s) => s.records ?? 0));
  const step = 100 / Math.max(shards.length, 1);
  const text = shards.map((s, i) => `${t.shard} ${i}: ${s.records === null ? t.noNumber : count(s.records)}`).join("; ");
  return (
    <div class="bars">
      <svg viewBox="0 0 100 46" role="img" aria-label={`${t.records}: ${text}`}>
        {shards.map((s, i) => {
          const height = ((s.records ?? 0) / most) * 38;
          return (
            <g key={s.shard}>
              <rect class="track" x={i * step + step * 0.1} y="2" width={step * 0.8} height="38" rx="1.5" />
              <rect class="full" x={i * step + step * 0.1} y={40 - height} width={step * 0.8} height={height} rx="1.5" />
              {s.records === 0 ? <path class="void" d={`M${i * step + step * 0.1} 43h${step * 0.8}`} /> : null}
            </g>
          );
        })}
      </svg>
      <ul class="bar-names">
        {shards.map((s, i) => (
          <li key={s.shard} class={s.records === 0 ? "void" : ""}>
            <span class="dim">{i}</span> {s.records === null ? t.noNumber : s.records === 0 ? t.shardEmpty : count(s.records)}
          </li>
        ))}
      </ul>
      {props.shards.length > maxBars ? <p class="dim">{t.more(count(props.shards.length - maxBars))}</p> : null}
    </div>
  );
}

function Shards({ f }: { f: Flow }) {
  const s = f.stream;
  const shards = s.shards ?? [];
  const all = shards.reduce((sum, one) => sum + (one.records ?? 0), 0);
  return (
    <>
      <table class="shards">
        <thead>
          <tr>
            <th scope="col">{t.shard}</th>
            <th scope="col">{t.recordsPerSecond}</th>
            <th scope="col" class="n">
              {t.records}
            </th>
            <th scope="col" class="n">
              {t.share}
            </th>
          </tr>
        </thead>
        <tbody>
          {shards.map((one) => {
            const part = fill(one, s.limitRecordsPerSecond, s.limitBytesPerSecond);
            return (
              <tr key={one.shard} class={one.records === 0 && all > 0 ? "void" : ""}>
                <th scope="row">
                  <Raw text={one.shard.replace(/^shardId-0*(?=\d)/, "")} />
                </th>
                <td>
                  <span class="meter">
                    <svg viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true" class={part >= 0.8 ? "near" : ""}>
                      <rect class="track" width="100" height="8" />
                      <rect class="full" width={part * 100} height="8" />
                    </svg>
                    <span class="dim">
                      {one.recordsPerSecond === null
                        ? t.noNumber
                        : t.shardOf(rate(one.recordsPerSecond), count(s.limitRecordsPerSecond))}
                    </span>
                  </span>
                </td>
                <td class="n">{one.records === null ? t.noNumber : one.records === 0 && all > 0 ? t.shardEmpty : count(one.records)}</td>
                <td class="n">{one.records === null || all === 0 ? t.noNumber : percent(one.records / all)}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
      <p class="dim">{t.limitNote(count(s.limitRecordsPerSecond), bytes(s.limitBytesPerSecond))}</p>
    </>
  );
}

/** What was measured since the page was opened, at most as many points as a chart can show. */
interface Point {
  at: number;
  rates: Partial<Record<ArrowID, number | null>>;
}
const history = signal<Point[]>([]);
const maxPoints = 600;

effect(() => {
  const f = flow.value;
  if (!f?.connected) return;
  const at = Date.parse(f.at);
  const past = history.peek();
  if (past.length > 0 && past[past.length - 1]!.at >= at) return;
  const rates: Point["rates"] = {};
  for (const arrow of f.arrows) rates[arrow.id] = arrow.recordsPerSecond;
  history.value = [...past.slice(-maxPoints + 1), { at, rates }];
});

const rateSeries: { id: ArrowID; color: string }[] = [
  { id: "produced", color: "--series-1" },
  { id: "read", color: "--series-2" },
  { id: "rows", color: "--series-3" },
];

function Rates() {
  const points = history.value;
  if (points.length < 2) return <p class="dim">{t.ratesWait}</p>;
  const series = rateSeries
    .filter(({ id }) => points.some((p) => p.rates[id] != null))
    .map(({ id, color }) => ({ label: t[`arrow_${id}`], color, values: points.map((p) => p.rates[id] ?? null) }));
  return <Chart times={points.map((p) => p.at)} series={series} alt={t.ratesChartAlt} />;
}

