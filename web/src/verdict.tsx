// The verdict over everything, in the reader's language.

import { computed } from "@preact/signals";
import { count } from "./format";
import type { Counts, Flow, Line, Tone } from "./model";
import { about, flow, judged, link } from "./server";
import { className, language, saidProblem, t, type Said } from "./text";
import { Time, Words } from "./ui";

const sign: Record<Tone, string> = { good: "✓", wrong: "✗", open: "?" };

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

function saidVerdict(f: Flow): Said {
  const v = f.verdict;
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

const toneOfVerdict = (f: Flow): Tone =>
  f.verdict?.verdict === "PROVEN" ? "good" : f.verdict?.verdict === "NOT PROVEN" ? "wrong" : "open";

/** What stands above every view. */
const shown = computed(() => {
  const f = flow.value;
  if (!f) return null;
  const lost = link.value !== "open" || !f.connected;
  const tone: Tone = lost ? "open" : f.tone;
  const title = f.verdict ? t[f.verdict.verdict] : t.noVerdict;
  // A verdict of yesterday must not hide what is wrong now.
  const now = !lost && f.verdict && f.tone !== toneOfVerdict(f) ? f.problems.find((p) => p.severity === f.tone) : undefined;
  const said = now ? saidProblem(now, countOf) : saidVerdict(f);
  return { f, tone, title, said, worse: now !== undefined };
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
  const { f, tone, title, said, worse } = s;
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
        {f.verdict ? (
          <>
            {t.judged} <Time at={f.verdict.judgedAt} />.
          </>
        ) : null}{" "}
        {about.value ? `${about.value.stack} · ${f.region}${f.local ? ` · ${t.local}` : ""}` : f.stack}
      </p>
      {link.value === "lost" ? (
        <p class="lost" role="alert">
          {t.linkLost}
        </p>
      ) : !f.connected ? (
        <p class="lost" role="alert">
          {t.stackGone(f.error ?? "")}
        </p>
      ) : null}
    </div>
  );
}
