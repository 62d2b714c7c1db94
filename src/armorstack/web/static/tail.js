// Events as they arrive, by server-sent events. What comes while nobody looks is kept back.

const KEPT_BACK = 1000;

export class Tail {
  /** `on`: flush(items, left out), waiting(count), state(name, reason); items are {event} or
   * {gap}, newest first. `mayShow` tells whether new rows would disturb nobody. */
  constructor(url, mayShow, on) {
    Object.assign(this, { url, mayShow, on, place: "", back: [], left: 0, source: null });
  }

  get isOn() {
    return this.source !== null;
  }

  start() {
    if (this.source) return;
    const join = this.url.includes("?") ? "&" : "?";
    const resume = this.place ? `${join}last_event_id=${encodeURIComponent(this.place)}` : "";
    const source = this.source = new EventSource(this.url + resume);
    this.on.state("connecting");
    source.onopen = () => this.on.state("live");
    source.onmessage = (message) => this.#take(message, { event: JSON.parse(message.data) });
    source.addEventListener("gap", (message) =>
      this.#take(message, { gap: JSON.parse(message.data) }));
    source.addEventListener("alive", (message) => (this.place = message.lastEventId));
    source.addEventListener("end", (message) => {
      this.stop();
      this.on.state("broken", JSON.parse(message.data).reason);
    });
    source.onerror = () => {
      if (source.readyState !== EventSource.CLOSED) return this.on.state("connecting");
      this.stop();
      this.on.state("broken", "The stream was refused. Reload the page to see why.");
    };
    this.beat = setInterval(() => this.flush(), 250);
  }

  stop() {
    clearInterval(this.beat);
    this.source?.close();
    this.source = null;
    this.flush(true);
    this.on.state("off");
  }

  /** Show what was kept back; unless forced only where that disturbs nobody. */
  flush(forced = false) {
    if (!this.back.length) return;
    if (!forced && !this.mayShow()) return this.on.waiting(this.back.length + this.left);
    const [items, left] = [this.back, this.left];
    [this.back, this.left] = [[], 0];
    this.on.flush(items, left);
    this.on.waiting(0);
  }

  #take(message, item) {
    if (message.lastEventId) this.place = message.lastEventId;
    this.back.unshift(item);
    if (this.back.length > KEPT_BACK) {
      this.back.pop();
      this.left += 1;
    }
  }
}
