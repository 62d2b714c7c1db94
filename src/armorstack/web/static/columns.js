// Columns are put into another order by dragging their heads, or their names in the menu.

import { $$ } from "./base.js";

export function columns(names) {
  let dragged = "";
  for (const place of $$(".events thead th, [data-chosen] > li")) {
    place.draggable = true;
    place.addEventListener("dragstart", (event) => {
      dragged = place.dataset.name;
      event.dataTransfer.effectAllowed = "move";
      event.dataTransfer.setData("text/plain", dragged);
    });
    place.addEventListener("dragover", (event) => {
      if (!dragged) return;
      event.preventDefault();
      place.classList.add("dropping");
    });
    place.addEventListener("dragleave", () => place.classList.remove("dropping"));
    place.addEventListener("drop", (event) => {
      event.preventDefault();
      if (dragged && dragged !== place.dataset.name) move(names, dragged, place.dataset.name);
    });
    place.addEventListener("dragend", () => (dragged = ""));
  }
}

function move(names, name, before) {
  const isToRight = names.indexOf(name) < names.indexOf(before);
  const others = names.filter((each) => each !== name);
  others.splice(others.indexOf(before) + (isToRight ? 1 : 0), 0, name);
  const url = new URL(location.href);
  url.searchParams.set("cols", others.join(","));
  location.assign(url);
}
