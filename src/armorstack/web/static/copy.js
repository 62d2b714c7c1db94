// A button beside every command and document that copies it; the text can be selected without.

const places = "div.command, [data-copy]";

function textOf(place) {
  return (place.querySelector("code") || place).textContent;
}

async function copy(place, button) {
  try {
    await navigator.clipboard.writeText(textOf(place));
    button.textContent = "Copied";
  } catch {
    // No clipboard without HTTPS or leave: what is selected can still be copied by hand.
    getSelection().selectAllChildren(place.querySelector("code") || place);
    button.textContent = "Selected";
  }
  setTimeout(() => (button.textContent = "Copy"), 1500);
}

for (const place of document.querySelectorAll(places)) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "copy quiet";
  button.textContent = "Copy";
  button.setAttribute("aria-live", "polite");
  button.addEventListener("click", () => copy(place, button));
  if (place.matches("pre")) place.before(button);
  else place.append(button);
}
