"""Which events show that a program ran, and which that its start was denied.

KubeArmor names a program in four places: ProcessName acts; Source acts too (of a program that
begins: who began it); Resource of a Process event is the command line of what begins; ExecEvent
names what the exec saw. A start that was denied is told with the same names, so those are told
apart: the program itself did not run then, but its Source did.

Invariant: no event is both in `ran` and in `tried`.
"""

from msgspec import Struct

from armorstack.core.query.tree import Match, Node, Not, all_of, any_of

LONGEST = 500


class Program(Struct, frozen=True):
    """A program as a person asked for it."""

    text: str
    globs: tuple[str, ...]
    """Globs of its path: one of them must match. The first is as it was asked for."""


def program(what: str) -> Program | None:
    """What is meant; None where nothing is. A text without a slash is a name in any folder, and
    an argument of it is left out: `/bin/sh -c id` asks for `/bin/sh`."""
    text = what.strip()[:LONGEST]
    if not text:
        return None
    path = text.split(None, 1)[0]
    if "]" not in path:
        # Nothing closes it: it is a character, which the query language wants to be told.
        path = path.replace("[", "[[]")
    if "/" in path or path.startswith("*"):
        return Program(text, (path,))
    return Program(text, (path, f"*/{path}"))


def named(wanted: Program) -> Node:
    """True of events that name it as what acts or begins."""
    return any_of([
        Match("process", wanted.globs),
        all_of([_begins(), _first_word("resource", wanted)]),
        all_of([Not(_begins()), _first_word("source", wanted)]),
    ])  # fmt: skip


def began_another(wanted: Program) -> Node:
    """True of events in which it starts, or tries to start, another program."""
    return all_of([_begins(), _first_word("source", wanted)])


def denied() -> Node:
    """True of events in which the start of a program was denied."""
    failed = Not(Match("result", ("Passed", ""), exact=True))
    return all_of([_begins(), any_of([Match("action", ("Block",), exact=True), failed])])


def ran(wanted: Program) -> Node:
    """True of events that show that it ran.

    Where a start was denied, ExecEvent still names who was there before, or not; it counts for
    nothing then.
    """
    own = any_of([named(wanted), _exec(wanted)])
    return any_of([began_another(wanted), all_of([own, Not(denied())])])


def tried(wanted: Program) -> Node:
    """True of events that show that its start was denied."""
    return all_of([named(wanted), denied(), Not(began_another(wanted))])


def any_event(wanted: Program) -> Node:
    """True of either."""
    by_exec = all_of([_exec(wanted), Not(denied())])
    return any_of([named(wanted), began_another(wanted), by_exec])


def process_events() -> Node:
    """True of events that tell of a program's start; without any, a "no" says nothing."""
    return _begins()


def _begins() -> Node:
    return Match("operation", ("Process",), exact=True)


def _exec(wanted: Program) -> Node:
    """ExecEvent has a bare name, so it says nothing about a path."""
    return Match("exec_executable", wanted.globs[:1])


def _first_word(field: str, wanted: Program) -> Node:
    """True where the command line begins with it. A `*` reaches across spaces, to an argument of
    something else; lines that only match so are left out."""
    lines = tuple(line for glob in wanted.globs for line in (glob, f"{glob} *"))
    across = tuple(
        line for glob in wanted.globs for each in _across(glob) for line in (each, f"{each} *")
    )
    begins = Match(field, lines)
    return all_of([begins, Not(Match(field, across))]) if across else begins


def _across(glob: str) -> list[str]:
    """The glob with a space at each of its stars in turn. The last character may be any text, and
    within brackets a star is a star."""
    if "[" in glob:
        return []
    stars = [place for place, char in enumerate(glob[:-1]) if char == "*"]
    return [f"{glob[:place]}* *{glob[place + 1 :]}" for place in stars]
