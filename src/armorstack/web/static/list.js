// A list of thousands of rows of which only those near the screen are in the document.

import { make } from "./rows.js";

const AROUND = 25;
const NARROW = matchMedia("(max-width: 720px)");

export class List {
  /** `build` makes a row of an event; rows that are there already stay as they are. */
  constructor(body, build) {
    this.body = body;
    this.build = build;
    this.items = [...body.rows].map((row) => ({ row }));
    this.from = 0;
    this.to = this.items.length;
    this.at = -1;
    this.nearEnd = () => {};
    this.height = body.rows[0]?.getBoundingClientRect().height || 30;
    const columns = body.rows[0]?.cells.length || 1;
    this.above = space(columns);
    this.below = space(columns);
    body.prepend(this.above);
    body.append(this.below);
    let waiting = false;
    const soon = () => {
      if (waiting) return;
      waiting = true;
      requestAnimationFrame(() => {
        waiting = false;
        this.draw();
      });
    };
    addEventListener("scroll", soon, { passive: true });
    addEventListener("resize", soon, { passive: true });
    body.addEventListener("focusin", (event) => this.#mark(event.target.closest("tr")));
  }

  /** Whether the first row is to be seen. */
  get isAtTop() {
    return this.body.getBoundingClientRect().top >= 0;
  }

  /** Events below all others. */
  append(events) {
    this.items.push(...events.map((event) => ({ event })));
    this.draw();
  }

  /** Items ({event} or {row}) above all others. */
  prepend(items) {
    this.#take(this.from, this.to);
    this.items.unshift(...items);
    this.from = this.to = 0;
    if (this.at >= 0) this.at += items.length;
    this.draw();
  }

  /** Keep the first so many. */
  shorten(length) {
    if (this.items.length <= length) return;
    this.#take(Math.max(this.from, length), this.to);
    this.to = Math.min(this.to, length);
    this.from = Math.min(this.from, this.to);
    this.items.length = length;
    this.draw();
  }

  /** Put the rows near the screen into the document, and no others. */
  draw() {
    const [from, to] = this.#wanted();
    if (to <= this.from || from >= this.to) {
      this.#take(this.from, this.to);
      this.from = this.to = from;
    }
    this.#take(this.from, Math.min(from, this.to));
    this.#take(Math.max(to, this.from), this.to);
    const kept = [Math.max(from, this.from), Math.min(to, this.to)];
    this.above.after(...this.#rows(from, kept[0]));
    this.below.before(...this.#rows(kept[1], to));
    [this.from, this.to] = [from, to];
    tall(this.above, from * this.height);
    tall(this.below, (this.items.length - to) * this.height);
    if (this.body.getBoundingClientRect().bottom < 2 * innerHeight) this.nearEnd();
  }

  /** Go by so many rows, and put the focus there. */
  go(by) {
    const to = Math.min(Math.max(this.at + by, 0), this.items.length - 1);
    if (to < 0) return;
    if (to < this.from || to >= this.to) {
      const top = this.body.getBoundingClientRect().top + scrollY;
      scrollTo(0, top + to * this.height - innerHeight / 2);
      this.draw();
    }
    const row = this.#row(to);
    row.scrollIntoView({ block: "nearest" });
    (row.querySelector("a.open") || row).focus({ preventScroll: true });
    this.#mark(row);
  }

  #mark(row) {
    this.items[this.at]?.row?.classList.remove("at");
    this.at = this.items.findIndex((item) => item.row === row);
    row?.classList.add("at");
  }

  // Rows of a narrow screen differ in height, so there all of them stay.
  #wanted() {
    if (NARROW.matches) return [0, this.items.length];
    const top = this.body.getBoundingClientRect().top;
    const first = Math.floor(-top / this.height) - AROUND;
    const last = Math.ceil((innerHeight - top) / this.height) + AROUND;
    const within = (place) => Math.min(Math.max(place, 0), this.items.length);
    return [within(first), within(last)];
  }

  #rows(from, to) {
    const rows = [];
    for (let place = from; place < to; place++) rows.push(this.#row(place));
    return rows;
  }

  #row(place) {
    const item = this.items[place];
    item.row ||= this.build(item.event);
    return item.row;
  }

  #take(from, to) {
    for (let place = from; place < to; place++) {
      const item = this.items[place];
      item.row?.remove();
      // It can be made again; what the server or a gap wrote cannot.
      if (item.event && place !== this.at) item.row = null;
    }
  }
}

function space(columns) {
  const cell = make("td", { colSpan: columns });
  const row = make("tr", { className: "space", hidden: true }, cell);
  row.setAttribute("aria-hidden", "true");
  return row;
}

function tall(row, height) {
  row.hidden = height <= 0;
  row.firstChild.style.height = `${Math.max(0, height)}px`;
}
