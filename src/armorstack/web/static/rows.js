// Events as rows of the table, just as the server writes them (templates/events.html); a test
// compares the two. What an event says becomes text or a part of an encoded URL, nothing else.

const UNSAFE = new RegExp(
  "[\\x00-\\x1f\\x7f-\\x9f\\u00ad\\u061c\\u180e\\u200b-\\u200f\\u2028-\\u202e\\u2060-\\u206f" +
  "\\ufeff\\ud800-\\udfff\\ufff9-\\ufffb\\u{e0000}-\\u{e0fff}]", "gu");
const SHORT = 200;
const LONGEST_PICK = 400;
const ACTIONS = new Set(["block", "audit", "allow"]);

/** The text on one line: what does not show as escapes, cut where it is too long. */
export function shown(text, limit = SHORT) {
  let kept = String(text);
  if (kept.length > limit) {
    const letters = Array.from(kept.slice(0, 2 * limit + 2));
    if (letters.length > limit) kept = letters.slice(0, limit - 1).join("") + "…";
  }
  return kept.replace(UNSAFE, (letter) => {
    const code = letter.codePointAt(0);
    return code < 256 ? "\\x" + code.toString(16).padStart(2, "0")
      : "\\u" + code.toString(16).padStart(4, "0");
  });
}

/** An element; members of `more` are properties. */
export function make(name, more = {}, ...children) {
  const made = Object.assign(document.createElement(name), more);
  made.append(...children);
  return made;
}

/** Queries of URLs with a pick more, as `Asked.with_pick` makes them. */
export class Picks {
  constructor(query) {
    this.query = query;
    this.known = new Map();
  }

  /** [wanted, not wanted] as URLs of this page. */
  of(field, text) {
    const key = field + " " + text;
    let urls = this.known.get(key);
    if (!urls) {
      if (this.known.size > 5000) this.known.clear();
      const wanted = /^[!\\]/.test(text) ? "\\" + text : text;
      urls = [this.#with(field, wanted, "!" + text), this.#with(field, "!" + text, wanted)];
      this.known.set(key, urls);
    }
    return urls;
  }

  #with(field, value, not) {
    const kept = new URLSearchParams();
    for (const [name, each] of new URLSearchParams(this.query)) {
      if (name !== field || (each !== value && each !== not)) kept.append(name, each);
    }
    kept.append(field, value);
    return "/events?" + kept;
  }
}

export class Rows {
  /** `host` carries what the server tells by data attributes. */
  constructor(host) {
    const told = host.dataset;
    this.columns = told.columns.split(",");
    this.kinds = JSON.parse(told.kinds);
    this.bands = JSON.parse(told.bands);
    this.eventQuery = new URLSearchParams(told.eventQuery);
    this.picks = new Picks(told.pickQuery);
    this.clock = new Intl.DateTimeFormat("en-CA", {
      timeZone: told.tz, hourCycle: "h23", month: "2-digit", day: "2-digit", hour: "2-digit",
      minute: "2-digit", second: "2-digit",
    });
  }

  /** The row of an event as the API gives it. */
  row(event) {
    const cells = this.columns.map((name, place) => {
      const cell = make("td", { className: "c-" + name });
      if (this.kinds[name]?.label) cell.dataset.label = name;
      if (place === 0) cell.append(this.#link(name, event));
      else if (this.kinds[name]?.time) cell.append(...this.#time(event[name]));
      else cell.append(...values(name, event).map(([field, text]) => this.#value(field, text)));
      return cell;
    });
    return make("tr", {}, ...cells);
  }

  #link(name, event) {
    const near = new URLSearchParams(this.eventQuery);
    near.append("near", micros(event.time));
    const link = make("a", { className: "open", href: `/events/${event.id}?${near}` });
    const texts = () => values(name, event).map(([, text]) => shown(text)).join(" ");
    link.append(...(this.kinds[name]?.time ? this.#time(event[name]) : [texts() || "open"]));
    return link;
  }

  #time(iso) {
    if (!iso) return [];
    const part = Object.fromEntries(
      this.clock.formatToParts(new Date(iso)).map((each) => [each.type, each.value]));
    const text = `${part.month}-${part.day} ${part.hour}:${part.minute}:${part.second}`;
    return [make("time", { dateTime: iso, title: iso }, text + iso.slice(19, 23))];
  }

  #value(field, text) {
    const value = make("span", { className: "value", title: shown(text) }, shown(text));
    if (field === "severity") this.#grave(value, text);
    const word = text.split(" ")[0].toLowerCase();
    if (field === "action") value.className += " action" + (ACTIONS.has(word) ? " " + word : "");
    const made = make("span", { className: "pickable f-" + field }, value);
    if (this.#canPick(field, text)) made.append(this.#choice(field, text));
    return made;
  }

  #grave(value, text) {
    const is = /^[0-9]+$/.test(text) ? this.bands.find((band) => Number(text) >= band.low)
      : this.bands.at(-1);
    value.className += ` severity ${is.style}`;
    value.title = `severity ${shown(text)}, ${is.name}`;
    const sign = make("span", {}, is.sign);
    sign.setAttribute("aria-hidden", "true");
    value.prepend(sign, " ");
  }

  #canPick(field, text) {
    const pick = this.kinds[field]?.pick;
    return pick && Array.from(text).length <= LONGEST_PICK &&
      (pick !== "number" || /^[0-9]+$/.test(text));
  }

  #choice(field, text) {
    const [want, avoid] = this.picks.of(field, text);
    const short = shown(text, 60);
    return make("span", { className: "picks" },
      make("a", { href: want, title: `only ${field} ${short}` }, "+"),
      make("a", { href: avoid, title: `not ${field} ${short}` }, "−"));
  }
}

/** Microseconds since 1970 of a time as the API writes it, as text: no number holds all digits. */
export function micros(iso) {
  const seconds = Math.floor(Date.parse(iso.slice(0, 19) + "Z") / 1000);
  return String(BigInt(seconds) * 1000000n + BigInt(iso.slice(20, 26)));
}

function values(name, event) {
  if (name === "pod") {
    const place = event.pod ? ["namespace", "pod"] : ["namespace", "node"];
    return place.filter((field) => event[field]).map((field) => [field, event[field]]);
  }
  const value = event[name];
  if (Array.isArray(value)) return value.map((each) => [name, String(each)]);
  if (value !== null && typeof value === "object") {
    return Object.entries(value).map(([key, each]) => [name, `${key}=${each}`]);
  }
  if (value === undefined || value === null || value === "") return [];
  if (name === "label") return value.split(",").filter(Boolean).map((each) => [name, each]);
  return [[name, String(value)]];
}
