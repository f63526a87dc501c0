// The verdict over everything, in the reader's language.

import { computed } from "@preact/signals";
import { count, visible } from "./format";
import type { Counts, Judged, Line, Tone, Verdict } from "./model";
import { about, flow, judged, link } from "./server";
import { className, language, saidProblem, t, type Said } from "./text";
import { Time, Words } from "./ui";

const sign: { [K in Tone]: string } = { good: "✓", wrong: "✗", open: "?" };

/** The counts of the classes that fail the verdict. */
const failing = ["missing", "failed", "duplicated", "corrupt", "leaked", "unexpected"] as const;

/** How many rows of a class the latest report has, formatted; empty if it has none. */
export function countOf(cls: string): string {
  const s = judged.value?.summary;
  const line = s && [...s.balance, ...s.besides].find((l: Line) => l.name === cls);
  return line && line.count > 0 ? count(line.count) : "";
}

function saidCounts(c: Counts): string {
  const found = failing.filter((cls) => c[cls] > 0).map((cls) => `${className(cls)} ${count(c[cls])}`);
  return t.faults(new Intl.ListFormat(language).format(found), count(c.owed));
}

interface Judgement {
  verdict: Verdict;
  judgedAt: string;
  sentence: string;
  counts: Counts;
}

function saidVerdict(v: Judgement | null): Said {
  if (!v) return { text: t.notYet };
  if (language === "en") return { text: v.sentence };
  const c = v.counts;
  if (v.verdict === "UNDECIDED") return { text: t.undecided };
  if (v.verdict === "NOT PROVEN") return { text: saidCounts(c) };
  const excused = failing.reduce((sum, cls) => sum + c[cls], 0);
  if (excused > 0) return { text: t.accepted(count(c.owed), count(excused)) };
  if (c.inFlight > 0)
    return { text: t.allThereFlight(count(c.owed), count(c.delivered + c.rejects - c.recovered), count(c.inFlight)) };
  return { text: (c.rejects > 0 ? t.allThereRejects : t.allThere)(count(c.owed), c.owed) };
}

const toneOf = (v: Judgement | null): Tone => (v?.verdict === "PROVEN" ? "good" : v?.verdict === "NOT PROVEN" ? "wrong" : "open");

/** The judgement of an audit, which has a report and no flow. */
function audited(j: Judged): Judgement | null {
  if (!j.report || !j.summary) return null;
  const { verdict, judgedAt, counts } = j.report;
  return { verdict, judgedAt, counts, sentence: j.summary.sentence };
}

/** What stands above every view. */
const shown = computed(() => {
  const f = flow.value;
  const audit = !f && about.value?.kind === "audit" ? judged.value : null;
  if (!f && !audit) return null;
  const v = f ? f.verdict : audited(audit!);
  const error = f && !f.connected ? (f.error ?? "") : null;
  const lost = link.value !== "open" || error !== null;
  // A verdict of yesterday must not hide what is wrong now.
  const now = f && !lost && v && f.tone !== toneOf(v) ? f.problems.find((p) => p.severity === f.tone) : undefined;
  return {
    verdict: v,
    tone: lost ? "open" : f ? f.tone : toneOf(v),
    title: v ? t[v.verdict] : t.noVerdict,
    said: now ? saidProblem(now, countOf) : saidVerdict(v),
    worse: now !== undefined,
    error,
    place: f ? `${f.stack} · ${f.region}${f.local ? ` · ${t.local}` : ""}` : `${about.value!.stack} · ${about.value!.region}`,
  };
});

export function Banner() {
  const s = shown.value;
  if (link.value === "ended")
    return (
      <div class="banner open">
        <p class="sentence" role="alert">
          {t.linkEnded}
        </p>
      </div>
    );
  if (!s)
    return (
      <div class="banner plain">
        <p class="sentence" role="status">
          {link.value === "lost" ? t.linkLost : link.value === "open" ? t.looking : t.opening}
        </p>
      </div>
    );
  const { verdict, tone, title, said, worse, error, place } = s;
  return (
    <div class={`banner ${tone}`}>
      <div class="verdict" role="status" aria-live="polite" aria-atomic="true">
        <p class="word">
          <span aria-hidden="true">{worse ? "!" : sign[tone]}</span> {worse ? t.look : title}
        </p>
        <p class="sentence">
          <Words said={said} />
        </p>
      </div>
      <p class="place">
        {worse ? `${t.provenWas(title)} ` : ""}
        {verdict ? (
          <>
            {t.judged} <Time at={verdict.judgedAt} />.
          </>
        ) : null}{" "}
        {visible(place)}
      </p>
      {link.value === "lost" ? (
        <p class="lost" role="alert">
          {t.linkLost}
        </p>
      ) : error !== null ? (
        <p class="lost" role="alert">
          {t.stackGone(visible(error))}
        </p>
      ) : null}
    </div>
  );
}
