"""What a page is made of, so that a test can say that no event put anything into it."""

import re
from html.parser import HTMLParser

from armorstack.core.text import UNSAFE

SHOWN_AS_IS = re.compile("[\n\t]")
INPUTS = re.compile(r"<input [^>]*>")
"""A field of a form holds what was asked for as it is: it is sent back, not read."""
OUTSIDE = re.compile(r"^(?!/(?!/)|\?|#|https://|mailto:)")
"""A link that neither stays here nor says openly that it leads away."""


class Page(HTMLParser):
    """The elements of a page, and what is wrong with them."""

    def __init__(self, text: str, *, is_alone: bool = False) -> None:
        """`is_alone`: a report, which carries its own style and no script at all."""
        super().__init__(convert_charrefs=True)
        self.elements: list[str] = []
        self.links: list[str] = []
        self.text = ""
        self.faults: list[str] = []
        self._is_alone = is_alone
        self._within: list[str] = []
        self.feed(text)
        self.close()
        unsafe = UNSAFE.search(SHOWN_AS_IS.sub("", INPUTS.sub("", text)))
        if unsafe:
            around = text[max(0, text.index(unsafe[0]) - 60) :][:120]
            self.faults.append(f"a raw {unsafe[0]!r} in the page: {around!r}")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self._within.append(tag)
        values = {name: value or "" for name, value in attrs}
        for name, value in values.items():
            if name.startswith("on") or name == "style":
                self.faults.append(f"<{tag} {name}={value[:60]!r}>")
            if name in ("href", "src", "action", "formaction", "xlink:href"):
                self.links.append(value)
                if OUTSIDE.match(value) and not (self._is_alone and value.startswith("data:")):
                    self.faults.append(f"<{tag} {name}={value[:60]!r}>")
        allowed = not self._is_alone and values.get("src", "").startswith("/static/")
        if tag == "script" and not allowed:
            self.faults.append(f"<script {values}>")
        if tag in ("iframe", "object", "embed", "base") or (tag == "style" and not self._is_alone):
            self.faults.append(f"<{tag}>")

    def handle_data(self, data: str) -> None:
        if not self._within or self._within[-1] not in ("script", "style"):
            self.text += data

    def handle_endtag(self, tag: str) -> None:
        if tag in self._within:
            while self._within.pop() != tag:
                continue
