// Looking for a value within a facet: all values of the field are asked for once it is needed.

import { $, $$ } from "./base.js";
import { make, Picks, shown } from "./rows.js";

const MOST = 500;
const SHOWN = 50;

export function facets(pickQuery, facetsUrl) {
  const picks = new Picks(pickQuery);
  for (const facet of $$("[data-facet]")) {
    const more = $(".more a", facet);
    if (more) new Within(facet, picks, facetsUrl);
  }
}

class Within {
  constructor(facet, picks, url) {
    Object.assign(this, { facet, picks, url, field: facet.dataset.facet, values: null });
    this.list = $("ul", facet);
    this.first = [...this.list.children];
    this.box = make("input", { type: "search", className: "within", placeholder: "find…" });
    this.box.setAttribute("aria-label", `Find a value of ${this.field}`);
    $(".more", facet).append(this.box);
    this.box.addEventListener("input", () => this.#find());
  }

  async #find() {
    const wanted = this.box.value.trim().toLowerCase();
    if (!wanted) return this.list.replaceChildren(...this.first);
    this.values ||= this.#ask();
    const found = (await this.values).filter((each) => each.value.toLowerCase().includes(wanted));
    if (wanted !== this.box.value.trim().toLowerCase()) return;
    const items = found.slice(0, SHOWN).map((each) => this.#item(each));
    this.list.replaceChildren(...(items.length ? items
      : [make("li", { className: "dim" }, "none of the most frequent")]));
  }

  async #ask() {
    const join = this.url.includes("?") ? "&" : "?";
    const url = `${this.url}${join}f=${encodeURIComponent(this.field)}&size=${MOST}`;
    try {
      const answer = await fetch(url, { headers: { accept: "application/json" } });
      if (!answer.ok) throw new Error(answer.statusText);
      return (await answer.json()).facets[0].values;
    } catch {
      this.values = null;
      return [];
    }
  }

  #item({ value, count }) {
    const [want, avoid] = this.picks.of(this.field, value);
    const text = make("span", { className: "value", title: shown(value) },
      shown(value) || "(none)");
    const choice = make("a", { className: "choice", href: want }, text,
      make("span", { className: "n" }, count.toLocaleString("en")));
    const not = make("a", { className: "avoid", href: avoid }, "−");
    not.setAttribute("aria-label", `Exclude ${this.field} ${shown(value, 60)}`);
    return make("li", {}, choice, not);
  }
}
