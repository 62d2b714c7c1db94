"""What the answer to a bulk request means (contract 3): pure, from bytes to fates.

    taken      2xx: it is stored now
    there      409 on create: it was stored before
    again      429, 5xx, 408: later it may be taken
    never      the document's own fault: the same answer every time
    Refused    the engine's fault, such as a block, a missing right, no shard left: all wait
    TooLarge   413: the same in smaller pieces

An error type says whose fault it is, not the status: a full disk is 429 for one engine and 403 for
another. A type that nobody here knows is the document's fault only where others of the same
request were taken; all of them refused for one unknown reason is the engine's.

Invariant: each document of a request has just one fate. Must not go here: sending, waiting.
"""

import re
from collections.abc import Sequence

import msgspec
from msgspec import Struct

from armorstack.core.text import printable

LONGEST_REASON = 500
"""Characters of an engine's reason, which quotes the event, that are kept."""

DOCUMENT_TYPES = frozenset(
    [
        "document_parsing_exception",
        "illegal_argument_exception",
        "json_parse_exception",
        "mapper_exception",
        "mapper_parsing_exception",
        "max_bytes_length_exceeded_exception",
        "parsing_exception",
        "strict_dynamic_mapping_exception",
        "x_content_parse_exception",
    ]
)
"""Errors of a document; `illegal_argument_exception` only where the reason speaks of one."""
ENGINE_TYPES = frozenset(
    [
        "cluster_block_exception",
        "index_closed_exception",
        "index_create_block_exception",
        "index_not_found_exception",
        "invalid_index_name_exception",
        "security_exception",
        "validation_exception",
    ]
)
"""Errors of index, cluster or rights: no document can change them."""
_OF_A_DOCUMENT = re.compile(r"immense term|\bfields?\b|\bmapper \[|nested documents|document ")


class Never(Struct, frozen=True):
    """Why a document will never be taken."""

    error_type: str
    reason: str


class Fates(Struct, frozen=True):
    """What became of the documents of one request, by their places in it."""

    taken: Sequence[int] = ()
    there: Sequence[int] = ()
    again: Sequence[int] = ()
    never: Sequence[tuple[int, Never]] = ()
    told: str = ""
    """Why the first of `again` was not taken."""


class Refused(Struct, frozen=True):
    """None of them has a fate yet: the engine, or what lies before it, refused."""

    told: str
    """One sentence, fit to be shown."""
    status: int = 0
    is_busy: bool = False
    """Whether it asks for patience only (429, 5xx)."""


class TooLarge(Struct, frozen=True):
    """The request as a whole was too large."""


class _Error(Struct):
    type: str | None = ""
    reason: str | None = ""


class _Create(Struct):
    status: int
    error: _Error | None = None


class _Item(Struct):
    create: _Create


class _Bulk(Struct):
    items: list[_Item]


_decode = msgspec.json.Decoder(_Bulk).decode


def read_answer(status: int, body: bytes, sent: int) -> Fates | Refused | TooLarge:
    """What became of `sent` documents. An answer that does not speak of just so many says nothing:
    all are to be sent again."""
    if status == 413:
        return TooLarge()
    if status >= 300:
        told = f"bulk request refused: {status} {reason_of(body)}".rstrip()
        return Refused(told, status, is_later(status))
    try:
        bulk = _decode(body)
    except msgspec.MsgspecError:
        return Refused("the answer to a bulk request cannot be read", status, is_busy=True)
    if len(bulk.items) != sent:
        told = f"{sent} events were sent, and the answer speaks of {len(bulk.items)}"
        return Refused(told, status, is_busy=True)
    # Its own word that all went well is not asked for: what counts is what it says of each.
    if all(item.create.status < 300 for item in bulk.items):
        return Fates(taken=range(sent))
    return _sorted([item.create for item in bulk.items])


def is_later(status: int) -> bool:
    """Whether a status asks for patience."""
    return status in (408, 429) or status >= 500


def _sorted(items: Sequence[_Create]) -> Fates | Refused:
    taken, there, again, failed = [], [], [], []
    for place, item in enumerate(items):
        if item.status < 300:
            taken.append(place)
        elif _is_of_engine(item):
            return Refused(_told(item), item.status)
        elif item.status == 409:
            there.append(place)
        elif is_later(item.status):
            again.append(place)
        else:
            failed.append(place)
    if len(failed) == len(items) and _is_one_refusal([items[place] for place in failed]):
        return Refused(_told(items[0]), items[0].status)
    told = _told(items[again[0]]) if again else ""
    return Fates(taken, there, again, [(at, _never(items[at])) for at in failed], told)


def _is_of_engine(item: _Create) -> bool:
    return item.status in (401, 403) or _type(item) in ENGINE_TYPES


def _is_one_refusal(items: Sequence[_Create]) -> bool:
    """Whether all were refused alike, for a reason that is in no document."""
    return len(set(map(_type, items))) == 1 and not any(map(_is_of_document, items))


def _is_of_document(item: _Create) -> bool:
    if _type(item) == "illegal_argument_exception":
        return bool(_OF_A_DOCUMENT.search(_text(item)))
    return _type(item) in DOCUMENT_TYPES


def _type(item: _Create) -> str:
    return (item.error.type if item.error else "") or f"status_{item.status}"


def _text(item: _Create) -> str:
    return (item.error.reason if item.error else "") or ""


def _never(item: _Create) -> Never:
    return Never(printable(_type(item), 80), printable(_text(item), LONGEST_REASON))


def _told(item: _Create) -> str:
    written = f"the engine refused: {item.status} {_type(item)}: {_text(item)}"
    return printable(written, LONGEST_REASON)


def reason_of(body: bytes) -> str:
    """`type: reason` of an engine's error, cut and printable; empty where the body is none."""
    try:
        error = msgspec.json.decode(body)["error"]
    except (msgspec.MsgspecError, KeyError, TypeError, IndexError):
        return ""
    if isinstance(error, dict):
        error = f"{error.get('type', 'error')}: {error.get('reason', '')}"
    return printable(str(error), LONGEST_REASON)
