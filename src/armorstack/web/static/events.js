// The explorer's script: goes on loading while one scrolls, keys, live tail, brush, facets, columns.
// Without it the page has links for all of that but the tail and the brush.

import { $, $$, isTyping } from "./base.js";
import { brush } from "./brush.js";
import { columns } from "./columns.js";
import { facets } from "./facets.js";
import { List } from "./list.js";
import { make, micros, Rows } from "./rows.js";
import { Tail } from "./tail.js";

const MOST = 20_000;
const host = $("[data-rows]");
const told = $("[data-told]");
const say = (text) => told && (told.textContent = text);

class Explorer {
  constructor() {
    this.rows = new Rows(host);
    this.list = new List($("tbody", host), (event) => this.rows.row(event));
    this.older = host.dataset.older;
    this.total = Number($("[data-total]")?.dataset.total);
    this.list.nearEnd = () => this.load();
    const pager = $(".pager");
    if (pager && host.dataset.first) pager.hidden = true;
    this.list.draw();
  }

  async load() {
    if (!this.older || this.loading || this.list.items.length >= MOST) return;
    this.loading = true;
    try {
      const url = `${host.dataset.pageUrl}&before=${encodeURIComponent(this.older)}`;
      const answer = await fetch(url, { headers: { accept: "application/json" } });
      if (!answer.ok) throw new Error(answer.statusText);
      const page = await answer.json();
      this.older = page.older || "";
      this.list.append(page.events);
      this.count();
    } catch {
      // The link to the next page still works, and says what is wrong.
      this.older = "";
      $(".pager")?.removeAttribute("hidden");
      say("The next events could not be loaded.");
    } finally {
      this.loading = false;
    }
  }

  count() {
    const shown = this.list.items.length.toLocaleString("en");
    const all = this.total ? ` of ${this.total.toLocaleString("en")}` : "";
    say(this.list.items.length >= MOST ? `${shown} loaded; narrow the time to see older ones`
      : `${shown}${all} loaded`);
  }

  arrived(items, left) {
    const rows = items.map((item) => item.event ? item : { row: this.gapRow(item.gap) });
    if (left) rows.push({ row: this.noteRow(`${left} more arrived than are shown; reload to see all`) });
    this.list.prepend(rows);
    if (this.list.items.length > MOST / 4) this.forget();
  }

  // Hours of a tail must not fill the memory; what is forgotten can be scrolled to again.
  forget() {
    this.list.shorten(MOST / 8);
    const last = this.list.items.findLast((item) => item.event)?.event;
    if (last) this.older = `${micros(last.time)}.${last.id}`;
  }

  gapRow(gap) {
    const many = gap.lost === null || gap.lost === undefined ? "an unknown number of" : gap.lost;
    return this.noteRow(`Gap: ${many} events are missing here (${gap.reason})`);
  }

  noteRow(text) {
    return make("tr", { className: "gap" },
      make("td", { colSpan: this.rows.columns.length }, text));
  }
}

function live(explorer) {
  const button = $("[data-live]");
  if (!button || !host.dataset.first || !window.EventSource) return null;
  const fresh = make("button", { type: "button", className: "primary fresh", hidden: true });
  host.before(fresh);
  const mayShow = () => explorer.list.isAtTop && !host.contains(document.activeElement) &&
    !getSelection()?.toString() && !document.hidden;
  let saidAt = 0;
  const tail = new Tail(host.dataset.streamUrl, mayShow, {
    flush: (items, left) => explorer.arrived(items, left),
    waiting: (count) => {
      fresh.hidden = !count;
      fresh.textContent = `${count.toLocaleString("en")} new`;
      button.dataset.state = count ? "paused" : "live";
      // A reader of the screen hears of it now and then, not four times a second.
      if (count && Date.now() - saidAt > 10_000) {
        saidAt = Date.now();
        say(`${count} new events are waiting`);
      }
    },
    state: (name, reason) => {
      button.setAttribute("aria-pressed", String(name !== "off" && name !== "broken"));
      button.dataset.state = name;
      if (tail?.isOn) document.documentElement.dataset.tail = name;
      else delete document.documentElement.dataset.tail;
      if (name !== "off") {
        say({ connecting: "Connecting…", live: "Live", broken: reason || "The stream ended." }[name]);
      }
    },
  });
  const showNew = () => {
    document.activeElement?.blur();
    scrollTo({ top: Math.min(scrollY, host.getBoundingClientRect().top + scrollY - 60) });
    tail.flush(true);
  };
  const toggle = () => {
    if (tail.isOn) tail.stop();
    else tail.start();
    if (!tail.isOn) say("");
    const url = new URL(location.href);
    if (tail.isOn) url.searchParams.set("live", "1");
    else url.searchParams.delete("live");
    history.replaceState(null, "", url);
  };
  button.hidden = false;
  button.addEventListener("click", toggle);
  fresh.addEventListener("click", showNew);
  addEventListener("pagehide", () => tail.isOn && tail.stop());
  if (host.dataset.auto) tail.start();
  return { toggle, showNew };
}

function keys(explorer, tail) {
  const all = {
    j: () => explorer?.list.go(1),
    k: () => explorer?.list.go(-1),
    t: () => tail?.toggle(),
    n: () => tail?.showNew(),
    f: () => {
      const rail = $("[data-rail]");
      if (!rail) return;
      rail.open = true;
      $("summary, a", $(".facets", rail))?.focus();
    },
  };
  document.addEventListener("keydown", (event) => {
    if (isTyping(event) || !Object.hasOwn(all, event.key) || $("dialog[open]")) return;
    event.preventDefault();
    all[event.key]();
  });
}

for (const place of $$("[data-brush]")) brush(place);
const explorer = host && new Explorer();
keys(explorer, explorer && live(explorer));
if (host) columns(explorer.rows.columns);
const rail = $("[data-rail]");
if (rail) facets(rail.dataset.pickQuery, rail.dataset.facetsUrl);
