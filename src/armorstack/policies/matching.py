"""Whether a rule of a policy means an act, as KubeArmor decides it where it compares them.

The rules are those of `feeder/policyMatcher.go` (main, 2026), with two differences: a pattern is
read as AppArmor reads it, since that is what enforces it (there `**` goes on through folders); and
a file that may only be read is, to a policy that allows, not allowed when it is written. What an
event does not say counts as a match. Must not go here: counting; whom a policy selects.
"""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

from armorstack.policies.acts import Act, first_word, folder_of
from armorstack.policies.policy import Policy, Rule


class Source(Struct, frozen=True):
    """One of `fromSource`; a folder ends in `/`."""

    path: str
    recursive: bool = False


class Check(Struct, frozen=True):
    """One rule as it is tried."""

    __test__ = False
    """Keeps pytest from taking the class for a check."""

    section: str
    form: str
    """`path`, `execname`, `dir`, `pattern`, `protocol`, `capability` or `syscall`."""
    value: str
    action: str
    sources: tuple[Source, ...] = ()
    recursive: bool = False
    owner_only: bool = False
    read_only: bool = False
    calls: frozenset[str] = frozenset()
    """Of a system call's rule: which; `value` is then a path, or empty."""

    @property
    def text(self) -> str:
        """For people, in one line: `file /etc/ recursive, from /bin/cat`."""
        words = [self.section, *sorted(self.calls)]
        words += [self.value] if self.value else []
        words += ["recursive"] * self.recursive + ["owner only"] * self.owner_only
        words += ["read only"] * self.read_only
        callers = ", ".join(source.path for source in self.sources)
        return " ".join(words) + (f", from {callers}" if callers else "")


def checks_of(policy: Policy) -> list[Check]:
    """The policy's rules, in its order."""
    plain = [_test(rule) for rule in policy.rules if rule.section != "syscalls"]
    section = policy.spec.get("syscalls")
    return plain + list(_calls(section if isinstance(section, dict) else {}))


def _test(rule: Rule) -> Check:
    value = rule.value.lower() if rule.form in ("protocol", "capability") else rule.value
    return Check(
        rule.section, rule.form, value, rule.action, tuple(map(Source, rule.sources)),
        "recursive" in rule.flags, "ownerOnly" in rule.flags, "readOnly" in rule.flags,
    )  # fmt: skip


def _calls(section: Mapping[str, Any]) -> Iterator[Check]:
    """Rules about system calls, which only audit whatever else is said."""
    for form in ("matchSyscalls", "matchPaths"):
        for each in _objects(section.get(form)):
            names = each.get("syscall")
            calls = frozenset(map(str, names if isinstance(names, list) else ()))
            path = str(each.get("path") or "")
            if calls and (path or form == "matchSyscalls"):
                yield Check(
                    "syscalls", "syscall", path, "Audit", tuple(_sources(each.get("fromSource"))),
                    recursive=each.get("recursive") is True, calls=calls,
                )  # fmt: skip


def _sources(found: object) -> Iterator[Source]:
    for each in _objects(found):
        if path := each.get("path"):
            yield Source(str(path))
        elif folder := each.get("dir"):
            yield Source(str(folder).rstrip("/") + "/", each.get("recursive") is True)


def _objects(found: object) -> list[dict[str, Any]]:
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def matches(check: Check, act: Act) -> bool:
    """Whether the rule means the act."""
    return (
        check.section == act.section
        and _names(check, act)
        and (not check.sources or any(_is_of(source, act) for source in check.sources))
        and _is_done_so(check, act)
    )


def _names(check: Check, act: Act) -> bool:
    """Whether it names what is acted on."""
    if check.form == "protocol":
        return check.value in ("all", act.value)
    if check.form == "capability":
        return check.value.upper() in act.resource.upper()
    if check.form == "syscall":
        return act.value in check.calls and _is_at(check, act.resource)
    if check.form == "execname":
        return act.value.endswith(f"/{check.value}")
    if check.form == "dir":
        return _is_inside(check, act.value)
    if check.form == "pattern":
        return is_like(check.value, act.value) or is_like(check.value, act.resource)
    return check.value == act.value


def _is_inside(check: Check, path: str) -> bool:
    """Whether the path lies in the folder, or is it. Of a recursive rule: also further below."""
    if not path.startswith("/"):
        return False
    folder = folder_of(path)
    below = folder.startswith(check.value) if check.recursive else folder == check.value
    return below or (check.section == "file" and check.value == f"{path}/")


def _is_at(check: Check, resource: str) -> bool:
    if not check.value.endswith("/"):
        return check.value in ("", resource)
    below = check.recursive and resource.startswith(check.value)
    return below or resource == check.value[:-1]


def _is_of(source: Source, act: Act) -> bool:
    """Whether this program did it. Each kind of act is compared in its own way."""
    if act.section in ("process", "file"):
        return source.path in (act.parent, act.process)
    if act.section != "syscalls":
        return source.path == act.process or act.source.startswith(f"{source.path} ")
    caller = first_word(act.source)
    if not source.path.endswith("/"):
        return caller == source.path
    rest = caller.removeprefix(source.path)
    return rest != caller and (source.recursive or "/" not in rest)


def _is_done_so(check: Check, act: Act) -> bool:
    """Whether it was done as the rule says: what may only be read, or only by its owner, is allowed
    so, and audited or blocked otherwise."""
    if not check.read_only and not check.owner_only:
        return True
    allows = check.action == "Allow"
    owners = allows if act.is_owners is None else act.is_owners
    proper = (act.is_read or not check.read_only) and (owners or not check.owner_only)
    return proper == allows


@lru_cache(4096)
def is_like(pattern: str, path: str) -> bool:
    """Whether the whole path is like the pattern, as AppArmor reads it: `*` and `?` stay within a
    folder, `**` does not, `[a-z]` is one of some characters, `{a,b}` one of some texts. Never slow,
    whatever the pattern (RE2); one that is none is like nothing."""
    try:
        return bool(pc.match_substring_regex(pa.scalar(path), _expression(pattern)).as_py())
    except (pa.ArrowInvalid, UnicodeEncodeError):
        return False


_PARTS = re.compile(r"\\.|\*\*+|[*?{},]|\[[^\]]+\]|[^\\*?{},\[]+|.", re.DOTALL)
_MEANING = {"*": "[^/]*", "?": "[^/]", "{": "(?:", "}": ")"}


def _expression(pattern: str) -> str:
    made, depth = "", 0
    for part in _PARTS.findall(pattern):
        depth += (part == "{") - (part == "}")
        if part in _MEANING:
            made += _MEANING[part]
        elif part == "," and depth > 0:
            made += "|"
        elif part.startswith("**"):
            made += ".*"
        elif part.startswith("[") and len(part) > 1:
            made += part
        else:
            made += re.escape(part[1:] if part.startswith("\\") and len(part) > 1 else part)
    return rf"(?s)\A(?:{made})\z"
