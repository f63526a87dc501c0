// What the page asks of the server and what it is told: topics as signals, answers as promises. All addresses are
// relative, because the console's path is random.

import { signal } from "@preact/signals";
import { Hub, type Link, type Message } from "./hub";
import type { About, Flow, Judged, Operation, Operations, Tail } from "./model";
import type { Wish } from "./worker";

export const about = signal<About | null>(null);
export const flow = signal<Flow | null>(null);
export const judged = signal<Judged | null>(null);
export const operations = signal<Operation[]>([]);

/** Whether the console itself answers. */
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

// What sends this page its events: a worker that all pages share or, where browsers have none, the page itself.
let want: (topics: string[]) => void;

function take(message: Message) {
  if ("link" in message) {
    link.value = message.link;
    if (message.link === "open") void introduce();
    return;
  }
  const state: unknown = JSON.parse(message.data);
  switch (message.topic) {
    case "flow":
      flow.value = state as Flow;
      break;
    case "report":
      judged.value = state as Judged;
      break;
    case "operations":
      operations.value = (state as Operations).operations;
      break;
    case "tail":
      tails.forEach((each) => each(state as Tail));
  }
}

function ofPage() {
  const hub = new Hub();
  want = (topics) => hub.want(take, topics);
}

// Locks are how the worker learns that a page has gone.
function ofAll() {
  const worker = new SharedWorker("worker.js");
  const lock = `page ${Math.random()}`;
  void navigator.locks.request(lock, () => new Promise(() => undefined)); // until the page has gone
  worker.port.onmessage = ({ data }: MessageEvent<Message>) => take(data);
  worker.onerror = () => {
    ofPage();
    connect();
  };
  want = (topics) => worker.port.postMessage({ topics, lock } satisfies Wish);
}

// A page that nobody sees wants nothing.
const connect = () => want(document.hidden ? [] : ["flow", "report", "operations", ...(tails.size > 0 ? ["tail"] : [])]);

let asking = false;

// Without it no view knows what it may do, so it is asked again until it answers.
async function introduce() {
  if (asking) return;
  for (asking = true; !about.value; ) {
    try {
      about.value = await get<About>("api/about");
    } catch {
      await new Promise((resolve) => window.setTimeout(resolve, 1000));
    }
  }
  asking = false;
}

/** Begins to watch the stack. */
export function start() {
  if ("SharedWorker" in window && "locks" in navigator) ofAll();
  else ofPage();
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
