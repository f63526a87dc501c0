// The connection to the console's events, for one page or for all of them.

export type Link = "opening" | "open" | "lost" | "ended";

/** What a page gets: the link's state, or an event of a topic as the server sent it. */
export type Message = { link: Link } | { topic: string; data: string };
export type Client = (message: Message) => void;

// The tail has a connection of its own, so that the others stay open when a page begins to watch it.
const groups = [["flow", "report", "operations"], ["tail"]];

/** Opens as many connections as its clients' topics need, and hands on what comes. */
export class Hub {
  private clients = new Map<Client, string[]>();
  private sources = new Map<string[], EventSource>();
  private latest = new Map<string, string>();
  private link: Link = "opening";
  private again = 0;

  /** A client wants these topics from now on, and no others. */
  want(client: Client, topics: string[]) {
    const had = this.clients.get(client) ?? [];
    this.clients.set(client, topics);
    this.connect();
    if (topics.length > 0 && had.length === 0) client({ link: this.link });
    // A connection that is open says its state only once.
    for (const topic of topics) {
      const data = had.includes(topic) ? undefined : this.latest.get(topic);
      if (data !== undefined) client({ topic, data });
    }
  }

  /** A client has gone. */
  leave(client: Client) {
    this.clients.delete(client);
    this.connect();
  }

  private connect() {
    if (this.link === "ended") return;
    for (const group of groups) {
      const wanted = [...this.clients.values()].some((topics) => topics.some((topic) => group.includes(topic)));
      if (wanted && !this.sources.has(group)) this.open(group);
      if (!wanted) this.close(group);
    }
  }

  private open(group: string[]) {
    const source = new EventSource(`events?topics=${group.join()}`);
    this.sources.set(group, source);
    source.onopen = () => this.say("open");
    source.onerror = () => {
      this.say("lost");
      if (source.readyState !== EventSource.CLOSED) return; // it tries again itself
      this.close(group);
      clearTimeout(this.again);
      this.again = setTimeout(() => void this.reopen(), 3000) as unknown as number;
    };
    for (const topic of group)
      source.addEventListener(topic, (event: MessageEvent<string>) => {
        if (topic !== "tail") this.latest.set(topic, event.data); // a tail's events are parts, and not a state
        for (const [client, topics] of this.clients) if (topics.includes(topic)) client({ topic, data: event.data });
      });
  }

  private close(group: string[]) {
    this.sources.get(group)?.close();
    this.sources.delete(group);
    for (const topic of group) this.latest.delete(topic);
  }

  // A console that was started again has another address: this page cannot reach it.
  private async reopen() {
    try {
      const answer = await fetch("api/about");
      if (answer.status === 403 || answer.status === 404) {
        this.say("ended");
        return;
      }
    } catch {
      // It does not answer yet.
    }
    this.connect();
  }

  private say(link: Link) {
    this.link = link;
    for (const [client, topics] of this.clients) if (topics.length > 0) client({ link });
  }
}
