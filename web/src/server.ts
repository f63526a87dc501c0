// What the page asks of the server and what it is told: topics as signals, answers as promises. All addresses are
// relative, because the console's path is random.

import { signal } from "@preact/signals";
import type { About, Flow, Judged, Operation, Operations, Tail } from "./model";

export const about = signal<About | null>(null);
export const flow = signal<Flow | null>(null);
export const judged = signal<Judged | null>(null);
export const operations = signal<Operation[]>([]);

/** Whether the console itself answers. */
export type Link = "opening" | "open" | "lost" | "ended";
export const link = signal<Link>("opening");

const tails = new Set<(batch: Tail) => void>();

/** Calls back with each batch of the tail until the function that it returns is called. */
export function watchTail(each: (batch: Tail) => void): () => void {
  tails.add(each);
  connect();
  return () => {
    tails.delete(each);
    connect();
  };
}

let source: EventSource | null = null;
let topics = "";
let again = 0;

const wanted = () => (tails.size > 0 ? "flow,report,operations,tail" : "flow,report,operations");

// Browsers open six connections to a server, over all tabs. So a tab that nobody sees keeps none.
function connect() {
  if (document.hidden) {
    close();
    return;
  }
  if (source && topics === wanted()) return;
  close();
  topics = wanted();
  const events = new EventSource(`events?topics=${topics}`);
  source = events;
  events.onopen = () => {
    link.value = "open";
    void introduce();
  };
  events.onerror = () => {
    link.value = "lost";
    if (events.readyState !== EventSource.CLOSED) return; // it tries again itself
    close();
    again = window.setTimeout(reopen, 3000);
  };
  on<Flow>(events, "flow", (state) => (flow.value = state));
  on<Judged>(events, "report", (state) => (judged.value = state));
  on<Operations>(events, "operations", (state) => (operations.value = state.operations));
  on<Tail>(events, "tail", (batch) => tails.forEach((each) => each(batch)));
}

// Without it no view knows what it may do, so it is asked again until it answers.
async function introduce() {
  for (const asked = source; !about.value && source === asked; ) {
    try {
      about.value = await get<About>("api/about");
    } catch {
      await new Promise((resolve) => window.setTimeout(resolve, 1000));
    }
  }
}

// A console that was started again has another address: this page cannot reach it.
async function reopen() {
  try {
    const answer = await fetch("api/about");
    if (answer.status === 403 || answer.status === 404) {
      link.value = "ended";
      return;
    }
  } catch {
    // It does not answer yet.
  }
  connect();
}

function on<T>(events: EventSource, topic: string, take: (value: T) => void) {
  events.addEventListener(topic, (event: MessageEvent<string>) => take(JSON.parse(event.data) as T));
}

function close() {
  window.clearTimeout(again);
  source?.close();
  source = null;
}

/** Begins to watch the stack. */
export function start() {
  document.addEventListener("visibilitychange", connect);
  connect();
}

async function answerOf<T>(response: Response): Promise<T> {
  const body: unknown = await response.json().catch(() => null);
  if (response.ok) return body as T;
  const error = (body as { error?: string } | null)?.error;
  throw new Error(error ?? `${response.status} ${response.statusText}`);
}

export const get = async <T>(path: string, signal?: AbortSignal) =>
  answerOf<T>(await fetch(path, signal ? { signal } : undefined));

export const post = async <T>(path: string, body: unknown, signal?: AbortSignal) =>
  answerOf<T>(
    await fetch(path, {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-Streamproof": "1" },
      body: JSON.stringify(body),
      ...(signal ? { signal } : {}),
    }),
  );

/** Begins an operation and returns its ID. */
export const begin = async (path: string, body: unknown) => (await post<{ id: string }>(path, body)).id;
