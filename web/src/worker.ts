// One for all pages of a browser, which opens six connections to a server at most: each page would take one for itself.

import { Hub, type Client } from "./hub";

const hub = new Hub();

/** What a page says: the topics that it wants, and the lock that it holds as long as it is there. */
export interface Wish {
  topics: string[];
  lock: string;
}

(globalThis as unknown as { onconnect: (event: MessageEvent) => void }).onconnect = (event) => {
  const port = event.ports[0]!;
  const client: Client = (message) => port.postMessage(message);
  let known = false;
  port.onmessage = ({ data }: MessageEvent<Wish>) => {
    hub.want(client, data.topics);
    if (known) return;
    known = true;
    // A port does not tell that its page has gone. The page's lock becomes free then.
    void navigator.locks.request(data.lock, () => hub.leave(client));
  };
};
