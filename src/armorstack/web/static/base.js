// What every page has: colours, menus, keys, the reader's own zone, refreshing.
// Each part looks for its place by a data attribute and does nothing where that is missing.

export const $ = (selector, within = document) => within.querySelector(selector);
export const $$ = (selector, within = document) => [...within.querySelectorAll(selector)];

/** Whether a key is meant for a field that somebody types into. */
export function isTyping(event) {
  const at = event.target;
  return event.ctrlKey || event.metaKey || event.altKey ||
    (at instanceof Element && at.closest("input, textarea, select, [contenteditable]") !== null);
}

function theme() {
  const button = $("[data-theme-toggle]");
  if (!button) return;
  button.hidden = false;
  button.addEventListener("click", () => {
    const root = document.documentElement;
    const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
    const next = (root.dataset.theme || system) === "dark" ? "light" : "dark";
    root.dataset.theme = next;
    try {
      if (next === system) localStorage.removeItem("theme");
      else localStorage.setItem("theme", next);
    } catch {
      // It then lasts as long as the page.
    }
  });
}

function menus() {
  const open = () => $$("details[data-menu][open]");
  document.addEventListener("click", (event) => {
    for (const menu of open()) if (!menu.contains(event.target)) menu.open = false;
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const menu of open()) {
      menu.open = false;
      $("summary", menu).focus();
    }
  });
}

// A URL says what differs from the defaults, and nothing else.
function shortUrls() {
  $("[data-ask]")?.addEventListener("submit", (event) => {
    const form = event.target;
    for (const field of $$("[data-default]", form)) {
      field.disabled = field.value.trim() === field.dataset.default;
    }
    const query = $("[name=q]", form);
    query.disabled = !query.value.trim();
    // Back from the browser's memory of pages they are to be there again.
    setTimeout(() => $$("[name]", form).forEach((field) => (field.disabled = false)));
  });
}

function zones() {
  const select = $("[data-zones]");
  const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (!select || !own || own === "UTC") return;
  const known = [...select.options].find((option) => option.value === own);
  const option = known || new Option(own, own);
  // Without a value of its own an option sends its text.
  option.value = own;
  option.text = `${own} (yours)`;
  select.prepend(option);
}

function refreshing() {
  const seconds = Number($("[data-refresh]")?.dataset.refresh);
  if (!seconds) return;
  const again = () => {
    const busy = document.hidden || $("dialog[open], details[data-menu][open]") ||
      document.activeElement?.matches("input, select") || getSelection()?.toString() ||
      document.documentElement.dataset.tail;
    if (busy) setTimeout(again, 1000);
    else location.reload();
  };
  setTimeout(again, seconds * 1000);
}

function keys() {
  const pages = { o: "/", e: "/events", s: "/status" };
  let before = "";
  document.addEventListener("keydown", (event) => {
    if (isTyping(event)) return;
    const link = before === "g" && pages[event.key] &&
      $$("nav.pages a").find((each) => new URL(each.href).pathname === pages[event.key]);
    before = event.key;
    if (link) link.click();
    else if (event.key === "/") $("[data-search]")?.focus();
    else if (event.key === "?") $("[data-help]")?.showModal();
    else return;
    event.preventDefault();
  });
}

theme();
menus();
shortUrls();
zones();
refreshing();
keys();
