"""Text that is no TOML: what is wrong with the line, and how to write it.

Invariant: `tomllib` decides what is TOML; this only finds words for it. Names of settings must not
go here.
"""

import re
import tomllib

from armorstack.config.origins import Document
from armorstack.errors import ConfigError

_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")

MENDS: tuple[tuple[str, str, str, str], ...] = (
    # What tomllib says, what the line looks like, what is wrong, how to mend it.
    ("", "[\u201c\u201d\u2018\u2019]", "typographic quotes", "use plain quotes: \" or '"),
    ("", "[\u00a0\u200b\ufeff]", "an invisible character that is no space",
     "it often comes along from a web page; type the line anew"),
    ("", r"^\s*[\w.-]+\s*:(\s|$)", "a colon where = belongs", "write key = value"),
    ("", r"=\s*(True|False|yes|no|on|off)\b", "not true or false", "write true or false"),
    ("Cannot", r"^\s*\[", "this table stands in the file twice",
     "keep one of the two; lists of tables, such as filters, have two brackets: [[filter]]"),
    ("Cannot", "", "this setting stands in the table twice", "keep one of the two"),
    ("Unescaped", "", "a backslash inside double quotes has a meaning of its own",
     r"put patterns into single quotes: '\d+'"),
    ("", r"=\s*[A-Za-z][^\s\"'\[{]*\s*(#|$)", "text without quotes", 'write key = "text"'),
    ("Illegal character|Unterminated|Expected \"'\"", "", "a quote that nothing closes",
     "close the text with the quote that it began with, on the same line"),
    ("Unclosed array", "", "a list that nothing closes, or a comma that is missing",
     'write ["one", "two"]'),
    ("inline table|Invalid initial", r"\{[^}]*$", "a table in braces that its line does not close",
     "write { key = value, other = value } on one line, without a comma at the end"),
    ("Expected '='", "", "a name without a value", "write key = value"),
    ("Expected ']'|Expected ']]'", "", "a table's name that nothing closes",
     "write [spool], or [[filter]] for one of several"),
    ("newline or end of document", "", "more text behind the value",
     "write one setting in a line; text stands in quotes"),
    ("Invalid value", r"=\s*(#|$)", "a name without a value", 'write key = "value"'),
    ("Invalid value", "", "text without quotes, or no value at all", 'write key = "text"'),
    ("Invalid initial character", "", "not the name of a setting",
     "names have letters, digits, _ and -; others stand in quotes"),
    ("Invalid statement", "", "neither key = value nor [table]", 'write key = "value"'),
)  # fmt: skip


def no_toml(document: Document, error: tomllib.TOMLDecodeError) -> ConfigError:
    """The fault with its line and column, in words; the line itself is not shown: it may be secret.

    tomllib has no attribute for the place in Python 3.11, so it is taken out of the sentence.
    """
    found = _PLACE.search(str(error))
    raw = str(error)[: found.start()] if found else str(error)
    lines = document.text.removesuffix("\n").split("\n")
    number = int(found[1]) if found and found[1] else len(lines)
    column = f", column {found[2]}" if found and found[2] else ""
    line = lines[min(number, len(lines)) - 1]
    what, hint = _words(raw, line)
    sentence = f"{document.name}: not TOML: line {number}{column}: {what}"
    return ConfigError(sentence, hint=hint)


def _words(raw: str, line: str) -> tuple[str, str]:
    for said, looks, what, hint in MENDS:
        if re.search(said, raw) and re.search(looks, line):
            return what, hint
    return raw, ""
