"""Pages taken apart: what elements there are, what they say, where they lead.

Strict where a browser forgives: an element that is not closed, or closed twice, is a fault.
"""

from collections.abc import Iterator
from html.parser import HTMLParser

VOID = frozenset({"meta", "link", "input", "br", "hr", "img"})


class Node:
    """An element; `parts` are texts and elements."""

    def __init__(self, tag: str, attributes: dict[str, str]) -> None:
        self.tag, self.attributes = tag, attributes
        self.parts: list[Node | str] = []

    def __getitem__(self, name: str) -> str:
        return self.attributes.get(name, "")

    @property
    def classes(self) -> list[str]:
        return self["class"].split()

    @property
    def text(self) -> str:
        """All text within, as it is read: without what is in tooltips."""
        told = [part if isinstance(part, str) else part.text for part in self.parts]
        return "" if self.tag == "title" else "".join(told)

    def walk(self) -> Iterator["Node"]:
        yield self
        for part in self.parts:
            if isinstance(part, Node):
                yield from part.walk()

    def all(self, tag: str = "", class_: str = "") -> list["Node"]:
        """Elements within of this tag and class."""
        return [
            node
            for node in self.walk()
            if tag in ("", node.tag) and (not class_ or class_ in node.classes)
        ]

    def one(self, tag: str = "", class_: str = "") -> "Node":
        """The only element within of this tag and class."""
        (found,) = self.all(tag, class_)
        return found

    def panel(self, id_: str) -> "Node":
        """The panel of this id on a board."""
        (found,) = [each for each in self.all("section") if each["id"] == f"panel-{id_}"]
        return found


class _Builder(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open = [Node("", {})]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(set(names)) == len(names), f"{tag} has an attribute twice: {names}"
        node = Node(tag, {name: value or "" for name, value in attrs})
        self.open[-1].parts.append(node)
        if tag not in VOID:
            self.open.append(node)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        last = self.open.pop()
        assert last.tag == tag, f"</{tag}> closes <{last.tag}>"

    def handle_data(self, data: str) -> None:
        self.open[-1].parts.append(data)


def parsed(text: str) -> Node:
    """The elements of a page, or of a piece of one."""
    builder = _Builder()
    builder.feed(text)
    builder.close()
    assert len(builder.open) == 1, f"not closed: {[node.tag for node in builder.open[1:]]}"
    return builder.open[0]
