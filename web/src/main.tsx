// The page: what stands above every view, and the view that the address names.

import { signal } from "@preact/signals";
import { render, type ComponentType } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { DeliveryView } from "./delivery";
import { FlowView } from "./flow";
import { setUTC, utc } from "./format";
import { ProofView } from "./proof";
import { SchemaView } from "./schema";
import { about, flow, start } from "./server";
import { SQLView } from "./sql";
import { StreamView } from "./stream";
import "./style.css";
import { language, t, viewName } from "./text";
import { readOnlyWhy } from "./ui";
import { Banner } from "./verdict";

const views: Record<string, ComponentType> = { flow: FlowView, stream: StreamView, schema: SchemaView, sql: SQLView, delivery: DeliveryView, proof: ProofView };

const named = () => location.hash.slice(1);
const address = signal(named());
let moved = false; // whether the reader has gone to another view
window.addEventListener("hashchange", () => {
  moved = true;
  address.value = named();
});

function Page() {
  const shown = Object.keys(views).filter((view) => (about.value?.views ?? ["flow"]).includes(view));
  const view = shown.includes(address.value) ? address.value : (shown[0] ?? "flow");
  const View = views[view]!;
  const main = useRef<HTMLElement>(null);
  useEffect(() => {
    document.title = `${viewName(view)} – Streamproof`;
    if (moved) main.current?.focus(); // a screen reader reads on in the new view
  }, [view]);
  return (
    <>
      <a
        class="skip"
        href="#content"
        onClick={(event) => {
          event.preventDefault();
          main.current?.focus();
        }}
      >
        {t.skip}
      </a>
      <header>
        <p class="brand">
          <svg viewBox="0 0 32 32" aria-hidden="true">
            <rect width="32" height="32" rx="7" />
            <path d="M5 11c4-4 7-4 11 0s7 4 11 0M9 20l5 5 10-10" />
          </svg>
          Streamproof
        </p>
        <nav aria-label={t.views}>
          <ul>
            {shown.map((one) => (
              <li key={one}>
                <a href={`#${one}`} aria-current={one === view ? "page" : undefined}>
                  {viewName(one)}
                </a>
              </li>
            ))}
          </ul>
        </nav>
        <div class="settings">
          {about.value && !about.value.write ? (
            <span class="badge" title={readOnlyWhy()}>
              {t.readOnly}
            </span>
          ) : null}
          <div class="switch" role="group" aria-label={t.times}>
            <button type="button" aria-pressed={utc.value} onClick={() => setUTC(true)}>
              {t.timesUTC}
            </button>
            <button type="button" aria-pressed={!utc.value} onClick={() => setUTC(false)}>
              {t.timesLocal}
            </button>
          </div>
        </div>
      </header>
      <main id="content" ref={main} tabIndex={-1} aria-labelledby="view">
        <h1 id="view" class="hidden">
          {viewName(view)}
        </h1>
        <Banner />
        {flow.value || view !== "flow" ? <View /> : null}
      </main>
    </>
  );
}

document.documentElement.lang = language;
render(<Page />, document.body);
start();
