"""A settings file with every setting, explained: made from the structs, so it cannot fall behind.

It loads as it is: one relay, all else at its default. A line that begins with `#` and no space is a
setting to be used by taking the `#` away; all of them together load, too. Invariant: the same text
every time. What is true of one setting only must not go here, but for the samples.
"""

import textwrap
from collections.abc import Iterator
from typing import Any, get_args, get_origin

import msgspec
from msgspec import Struct
from msgspec.structs import FieldInfo

from armorstack.config import filters, sinks, sources, toml
from armorstack.config.docstrings import field_docs, struct_doc
from armorstack.config.faults import structs_of
from armorstack.config.select import Globs
from armorstack.config.show import default_of
from armorstack.config.tree import Config

WIDTH = 90
"""Columns of a comment's text."""

SAMPLES: dict[tuple[type[Struct], str], object] = {
    (sources.RelaySource, "address"): "127.0.0.1:32767",
    (sources.FileSource, "path"): "/var/log/kubearmor.log",
    (filters.SetFilter, "fields"): {"cluster": "production", "tag": "kubearmor.alert.apart"},
    (filters.RemoveFilter, "fields"): ["user"],
    (filters.RenameFilter, "fields"): {"data": "cwd"},
    (filters.RedactFilter, "patterns"): [r"--password[= ]\S+"],
    (filters.SampleFilter, "one_in"): 10,
    (filters.ThrottleFilter, "events"): 1000,
    (filters.PresetFilter, "preset"): "passed-noise",
    (filters.Match, "sink"): "duckdb",
    (sinks.FileSink, "path"): "/var/log/armorstack/events.ndjson",
    (sinks.WebhookSink, "url"): "https://alerts.example.org/kubearmor",
}
"""What stands where a setting has no default, or none that works."""

ACTIVE = ("source.relay", "sink.duckdb", "spool", "web", "log")
"""Tables that are used as they stand; all others are commented out."""

HEAD = """\
Settings of armorstack: give them with --config FILE or ARMORSTACK_CONFIG.

A line that begins with # and no space is a setting with its default: take the # away and
change it, and take it away from the table's name above, if there is one.
`armorstack check-config FILE` says whether the file is right.
"""


def example() -> str:
    """The file."""
    return "\n".join(_Writer().document()) + "\n"


class _Writer:
    """Explains each struct of several places once."""

    def __init__(self) -> None:
        self._told: set[type[Struct]] = set()

    def document(self) -> Iterator[str]:
        """Settings at the top, then each table."""
        yield from _comment(HEAD)
        fields = {field.encode_name: field for field in msgspec.structs.fields(Config)}
        docs = field_docs(Config)
        yield ""
        yield from _comment(docs["data_dir"])
        yield f"#data_dir = {toml.value(fields.pop('data_dir').default)}"
        for name, field in fields.items():
            yield from ("", "", *_comment(docs[name]))
            yield from self._room(name, field.type)

    def _room(self, name: str, type_: Any) -> Iterator[str]:
        """`[spool]`, or each type of `[[source]]` or `[sink.NAME]`."""
        is_list, is_dict = get_origin(type_) is tuple, get_origin(type_) is dict
        inner = get_args(type_)[-1 if is_dict else 0] if is_list or is_dict else type_
        for struct in structs_of(inner):
            tag = str(struct.__struct_config__.tag or "")
            path = f"{name}.{tag}" if is_dict else name
            yield ""
            if inner is not type_ or tag:
                yield from _comment(struct_doc(struct))
            mark = "" if f"{name}.{tag}".rstrip(".") in ACTIVE else "#"
            yield f"{mark}[[{path}]]" if is_list else f"{mark}[{path}]"
            if tag:
                yield f'{mark}type = "{tag}"'
            yield from self._settings(struct, path, mark)

    def _settings(self, struct: type[Struct], path: str, mark: str) -> Iterator[str]:
        docs = field_docs(struct)
        fields = msgspec.structs.fields(struct)
        for field in fields:
            if not self._has_header(field):
                yield from self._setting(struct, field, docs[field.name], mark)
        for field in fields:
            if self._has_header(field):
                below = f"{path}.{field.encode_name}"
                inner = structs_of(field.type)[0]
                self._told.add(inner)
                yield from _comment(docs[field.name])
                yield f"#[{below}]"
                yield from self._settings(inner, below, "#")

    def _has_header(self, field: FieldInfo) -> bool:
        """Whether the setting is a table that was not explained yet."""
        inner = structs_of(field.type)
        return bool(inner) and inner[0] is not Globs and inner[0] not in self._told

    def _setting(
        self, struct: type[Struct], field: FieldInfo, doc: str, mark: str
    ) -> Iterator[str]:
        value = SAMPLES.get((struct, field.name), default_of(field))
        if isinstance(value, Struct) or (structs_of(field.type) and value is None):
            value, doc = {}, f"{doc} Its keys: above."
        yield from _comment(doc)
        if Globs in structs_of(field.type) and Globs not in self._told:
            self._told.add(Globs)
            value = {name: [] for name in field_docs(Globs)}
            for name, about in field_docs(Globs).items():
                yield from _comment(f"{name}: {about}")
            yield from _comment("A list alone is short for include, as below.")
        mark = mark if field.required else "#"
        value = list(value) if isinstance(value, tuple) else value
        yield from (mark + line for line in toml.setting(field.encode_name, value))


def _comment(text: str) -> Iterator[str]:
    for line in text.splitlines():
        yield from (f"# {part}".rstrip() for part in textwrap.wrap(line, WIDTH) or [""])
