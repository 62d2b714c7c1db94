// A span is chosen on the chart: by dragging, or by arrow keys, Shift and Enter.

import { $ } from "./base.js";
import { make } from "./rows.js";

export function brush(place) {
  const svg = $("svg.timechart", place);
  if (!svg) return;
  new Brush(svg);
}

class Brush {
  constructor(svg) {
    this.svg = svg;
    this.start = BigInt(svg.dataset.startUs);
    this.interval = BigInt(svg.dataset.intervalUs);
    this.buckets = Number(svg.dataset.buckets);
    this.anchor = this.end = null;
    this.box = make("div", { className: "brush", hidden: true });
    this.told = make("p", { className: "hidden" });
    this.told.setAttribute("role", "status");
    const holder = make("div", { className: "brushed", tabIndex: 0 });
    holder.setAttribute("role", "group");
    holder.setAttribute("aria-label",
      "Choose a time: arrow keys, with Shift to widen, Enter to show it");
    svg.replaceWith(holder);
    holder.append(svg, this.box, this.told);
    holder.addEventListener("keydown", (event) => this.#key(event));
    holder.addEventListener("blur", () => this.#clear());
    svg.addEventListener("pointerdown", (event) => this.#down(event));
    svg.addEventListener("dragstart", (event) => event.preventDefault());
  }

  #bucket(x) {
    const at = this.svg.getBoundingClientRect();
    const place = Math.floor(((x - at.left) / at.width) * this.buckets);
    return Math.min(Math.max(place, 0), this.buckets - 1);
  }

  #down(event) {
    // A finger scrolls the page; taps reach the links of the buckets.
    if (event.button !== 0 || event.pointerType === "touch") return;
    const from = event.clientX;
    let dragging = false;
    const move = (next) => {
      dragging ||= Math.abs(next.clientX - from) > 5;
      if (dragging) this.#choose(this.#bucket(from), this.#bucket(next.clientX));
    };
    const up = () => {
      removeEventListener("pointermove", move);
      if (!dragging) return;
      // The click that follows would open the link of a bucket.
      const swallow = (click) => click.preventDefault();
      addEventListener("click", swallow, { capture: true, once: true });
      setTimeout(() => removeEventListener("click", swallow, { capture: true }));
      this.#go();
    };
    addEventListener("pointermove", move);
    addEventListener("pointerup", up, { once: true });
  }

  #key(event) {
    if (event.key === "Escape") this.#clear();
    else if (event.key === "Enter" && this.end !== null) this.#go();
    else if (event.key === "ArrowLeft" || event.key === "ArrowRight") this.#step(event);
    else return;
    event.preventDefault();
  }

  #step(event) {
    const by = event.key === "ArrowLeft" ? -1 : 1;
    const from = this.end ?? (by < 0 ? this.buckets : -1);
    const to = Math.min(Math.max(from + by, 0), this.buckets - 1);
    this.#choose(event.shiftKey && this.anchor !== null ? this.anchor : to, to);
    const [start, end] = this.#span();
    this.told.textContent = `${short(start)} to ${short(end)}`;
  }

  #choose(anchor, end) {
    [this.anchor, this.end] = [anchor, end];
    const low = Math.min(anchor, end);
    const width = Math.abs(anchor - end) + 1;
    this.box.hidden = false;
    this.box.style.left = `${(100 * low) / this.buckets}%`;
    this.box.style.width = `${(100 * width) / this.buckets}%`;
  }

  #clear() {
    this.anchor = this.end = null;
    this.box.hidden = true;
    this.told.textContent = "";
  }

  #span() {
    const low = BigInt(Math.min(this.anchor, this.end));
    const high = BigInt(Math.max(this.anchor, this.end) + 1);
    return [this.start + low * this.interval, this.start + high * this.interval].map(iso);
  }

  #go() {
    const [from, to] = this.#span();
    const url = new URL(location.href);
    for (const name of ["before", "after"]) url.searchParams.delete(name);
    url.searchParams.set("from", from);
    url.searchParams.set("to", to);
    location.assign(url);
  }
}

const iso = (time) => new Date(Number(time / 1000n)).toISOString().replace(".000Z", "Z");
const short = (text) => text.slice(0, 16).replace("T", " ");
