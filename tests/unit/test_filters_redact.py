"""Nothing of what is redacted is left, in events or in frames that become dead letters."""

import base64
import json
from typing import Any

import msgspec
import pyarrow as pa
import pytest

from armorstack.config import DropFilter, RedactFilter, Select
from armorstack.core.batch import SCHEMA, Rejected
from armorstack.core.decode import decode
from armorstack.core.fields import FIELDS
from armorstack.core.proto import message_class
from armorstack.core.rebuild import rebuild
from tests.support.frames import lines, protobuf, row
from tests.support.rules import events, rules, serialized

SECRET = "hunter2"
PASSWORD = r"(?i)(pass)?word=\S+"
TEXTUAL = [field for field in FIELDS if field.kind in ("text", "texts", "map")]


def redacted(rows: pa.RecordBatch, changed: int, *filters: RedactFilter) -> pa.RecordBatch:
    compiled = rules(*(filters or (RedactFilter(patterns=(PASSWORD,)),)))
    result = compiled.apply(rows, 0).rows
    assert compiled.counts()[0].changed == changed
    assert compiled.counts()[0].dropped == 0
    assert result.schema.equals(SCHEMA)
    assert result.column("id").equals(rows.column("id"))
    result.validate(full=True)
    return result


def value(kind: str, text: str) -> Any:
    return {"text": text, "texts": ["x", text], "map": [("k", text), (text, "v")]}[kind]


@pytest.mark.parametrize("field", TEXTUAL, ids=lambda field: field.column)
@pytest.mark.parametrize("count", [1, 9])
def test_every_field_that_holds_text_is_redacted(field: Any, count: int) -> None:
    text = f"x word={SECRET} y"
    rows = events([{field.column: value(field.kind, text)}, {}, {}] * count)
    others = events([{field.column: value(field.kind, "other")}, {}])
    for laid in (rows, pa.concat_batches([others, rows]).slice(len(others))):
        result = redacted(laid, count)
        assert SECRET.encode() not in serialized(result)
        assert result[field.column][0].as_py() == value(field.kind, "x [redacted] y")
        assert result[field.column][1].as_py() is None


def test_only_the_selected_events_and_the_named_fields_are_changed() -> None:
    one = {"resource": "word=a", "source": "word=b", "atags": ["word=c"], "pod_name": "p"}
    rows = events([one, one | {"pod_name": "q"}])
    filter_ = RedactFilter(
        patterns=(PASSWORD,), fields=("Resource", "tag"), select=Select(pods=("p",)),
        replacement="…",
    )  # fmt: skip
    first, second = redacted(rows, 1, filter_).to_pylist()
    assert (first["resource"], first["source"], first["atags"]) == ("…", "word=b", ["…"])
    assert {key: second[key] for key in one} == one | {"pod_name": "q"}


@pytest.mark.parametrize(
    ("pattern", "replacement", "before", "after"),
    [
        (r"(?i)PASS=\S+", "-", "pass=x Pass=y z", "- - z"),
        (r"^\S+", "-", "abc abc", "- abc"),
        (r"\S+$", "-", "abc abc", "abc -"),
        (r"^abc$", "-", "abc", "-"),
        (r"^abc$", "-", "abc\nabc", "abc\nabc"),
        (r"(?m)^abc$", "-", "abc\nabc", "-\n-"),
        (r"(pass)=(\S+)", r"\1=***", "x pass=hunter2", "x pass=***"),
        (r"(\w+)=(\w+)", r"\2\1\\", "a=b", "ba\\"),
        (r"a(.)c", r"<\0>", "abc", "<abc>"),
        ("[\u0430-\u044f]+", "█", "x пароль y", "x █ y"),
        ("😀", "[ключ]", "a😀😀b", "a[ключ][ключ]b"),
        ("é", "", "née", "ne"),
    ],
)  # fmt: skip
def test_patterns_and_replacements_are_re2s(
    pattern: str, replacement: str, before: str, after: str
) -> None:
    filter_ = RedactFilter(patterns=(pattern,), replacement=replacement)
    result = redacted(events([{"resource": before}]), int(before != after), filter_)
    assert result["resource"].to_pylist() == [after]


def test_patterns_follow_one_another() -> None:
    filter_ = RedactFilter(patterns=("a+", "b+", r"\[redacted\]c"))
    result = redacted(events([{"resource": "aab-bc"}]), 1, filter_)
    assert result["resource"].to_pylist() == ["[redacted][redacted]-[redacted]"]


def test_members_that_no_column_holds_are_redacted_and_the_original_rebuilt() -> None:
    written = {
        "Timestamp": 1795443026, "Type": "HostLog", "HostName": "n", "Big": 10**30,
        "Novel": {"a": [f"word={SECRET}", 5], f"word={SECRET}": None}, "set": "x", "Deep": None,
    }  # fmt: skip
    line = json.dumps(written).replace('"Deep": null', '"Deep": ' + "[" * 700 + "]" * 700).encode()
    decoded = decode([row([line])], keep_original=True).batch.rows
    result = redacted(decoded, 1)
    assert SECRET.encode() not in serialized(result)
    (event,) = result.to_pylist()
    assert event["original"] is None
    told = rebuild(event)
    assert told["Novel"] == {"a": ["[redacted]", 5], "[redacted]": None}
    assert (told["Big"], told["set"]) == (10**30, "x")


def test_the_frame_of_extra_is_left_alone_whatever_the_pattern() -> None:
    line = b'{"Timestamp":1,"UpdatedTime":"","Type":"HostLog","HostName":"n","Novel":"set x"}'
    rows = decode([row([line])]).batch.rows
    filter_ = RedactFilter(patterns=("set|unset|protobuf|UpdatedTime",))
    (event,) = redacted(rows, 1, filter_).to_pylist()
    assert rebuild(event)["Novel"] == "[redacted] x"


def unknown(secret: bytes) -> bytes:
    """Fields 90 (text), 91 (a group that holds a text) and 92 (a number)."""
    size = bytes([len(secret)])
    return (
        b"\xd2\x05"
        + size
        + secret
        + b"\xdb\x05"
        + b"\x0a"
        + size
        + secret
        + b"\xdc\x05\xe0\x05\x07"
    )


def test_unknown_fields_are_redacted_inside_their_base64() -> None:
    frame = protobuf({"Type": "HostLog", "Resource": "x"}, "log") + unknown(
        f"é word={SECRET}".encode()
    )
    rows = decode([row([frame], "log", "protobuf")], keep_original=True).batch.rows
    (event,) = redacted(rows, 1).to_pylist()
    assert event["original"] is None
    text, group, number = (field["value"] for field in json.loads(event["extra"])["protobuf"])
    assert base64.b64decode(text).decode() == "é [redacted]"
    assert base64.b64decode(group["1"]).decode() == "é [redacted]"
    assert number == 7


def test_base64_itself_is_no_text() -> None:
    frame = protobuf({"Type": "HostLog"}, "log") + unknown(b"plain" * 9)
    rows = decode([row([frame], "log", "protobuf")]).batch.rows
    result = redacted(rows, 0, RedactFilter(patterns=("[A-Za-z0-9+/]{50,}",)))
    assert result["extra"].equals(rows["extra"])


@pytest.mark.parametrize(
    "line",
    [
        '{"Timestamp":1,"HostName":"n","Type":"HostLog","Data":"word=%s","Data":"x"}',
        '{"Timestamp":1,"HostName":"n","Type":"HostLog","Data":"\\u0077ord=%s","Data":"x"}',
    ],
)
def test_an_original_that_says_it_twice_is_let_go(line: str) -> None:
    frames = [(line % SECRET).encode(), (line % SECRET).replace("word=", "w=").encode()]
    frames[1] = frames[1].replace(b"\\u0077ord", b"w")
    rows = decode([row(frames)], keep_original=True).batch.rows
    result = redacted(rows, 1)
    assert result["original"].is_valid().to_pylist() == [False, True]
    assert result["original"][1].as_py() == frames[1]


def test_an_original_without_it_stays_as_it_came() -> None:
    rows = decode([row(lines("relay-stdout-real.jsonl"))], keep_original=True).batch.rows
    assert redacted(rows, 0).equals(rows)


def letter(frame: bytes, encoding: str, stream: str, reason: str = "why") -> Rejected:
    return Rejected(frame, "x", reason, encoding=encoding, stream=stream, seq=7, received_us=8)


def cleaned(frame: bytes, encoding: str, stream: str, pattern: str = PASSWORD) -> bytes:
    select = Select(pods=("no such pod",))
    compiled = rules(DropFilter(select=select), RedactFilter(patterns=(pattern,), select=select))
    result = compiled.redact(letter(frame, encoding, stream, f"not word={SECRET} at all"))
    assert result.reason.endswith(" at all")
    if pattern == PASSWORD:
        assert result.reason == "not [redacted] at all"
    assert (result.error_type, result.seq, result.received_us) == ("x", 7, 8)
    assert rules(DropFilter()).redact(letter(frame, encoding, stream)).frame is frame
    return result.frame


@pytest.mark.parametrize(
    ("frame", "wanted"),
    [
        ('{"a": "word=hunter2",  "b": 1e3}', '{"a": "[redacted]",  "b": 1e3}'),
        ('{"word=hunter2":["x word=hunter2 y"]}', '{"[redacted]":["x [redacted] y"]}'),
        ('{"a":"\\u0077ord=hunter2","b":"\\u0041"}', '{"a":"[redacted]","b":"\\u0041"}'),
        ('{"a":"word=hun\\"ter2 x"}', '{"a":"[redacted] x"}'),
        ('{"a":"\\\\\\"word=hunter2\\n\\\\"}', '{"a":"\\\\\\"[redacted]\\n\\\\"}'),
        ('{"a":"word=hunter2","a":"last"}', '{"a":"[redacted]","a":"last"}'),
        ('{"a":123456789012345678901234567890,"b":"word=hunter2"}',
         '{"a":123456789012345678901234567890,"b":"[redacted]"}'),
        ('"word=hunter2"', '"[redacted]"'),
        ('{"a":"\\ud83d\\ude00 word=hunter2"}', '{"a":"😀 [redacted]"}'),
        ('{"a":1e999,"b":"word=hunter2"}', '{"a":1e999,"b":"[redacted]"}'),
        ("[" * 700 + '"word=hunter2"' + "]" * 700, "[" * 700 + '"[redacted]"' + "]" * 700),
        ("[" * 5000 + '"word=hunter2"' + "]" * 5000, "[" * 5000 + '"[redacted]"' + "]" * 5000),
    ],
)  # fmt: skip
def test_json_stays_json_and_only_the_text_goes(frame: str, wanted: str) -> None:
    assert cleaned(frame.encode(), "json", "auto") == wanted.encode()


@pytest.mark.parametrize("encoding", ["json", "", "other"])
@pytest.mark.parametrize(
    "frame",
    [
        '{"a":"word=hunter2"',
        '{"a":"\\u0077ord=\\u0068unter2"',
        '"a":"word=\\"hunter2","b":',
        "word=hunter2",
        'garbage " word=hunter2 " word=hunter2 "" word=hunter2',
        "\\u0077ord=hunter2 \\ud83d \\ude00\\ud83d \\u12",
        "\\\\\\word=hunter2\\",
        '{"a":"\\ud83d word=hunter2"',
        '{"a":"x\x01 word=hunter2"}',
        '{"a": "word=\\u0068unter2 \\ud83d"}',
    ],
)
def test_json_that_cannot_be_read_keeps_no_secret(frame: str, encoding: str) -> None:
    for written in (frame.encode(), b"\xff" + frame.encode() + b"\xfe\xff"):
        result = cleaned(written, encoding, "auto")
        assert SECRET.encode() not in result.replace(b"\\u0068", b"h")
        assert b"[redacted]" in result


def test_anchors_mean_a_text_even_where_json_cannot_be_read() -> None:
    assert cleaned(b'{"a":"hunter2","b":"hunter2 x"', "json", "auto", "^hunter2$") == (
        b'{"a":"[redacted]","b":"hunter2 x"'
    )


def test_text_beyond_ascii_is_found_in_a_frame_that_is_not_quite_utf8() -> None:
    frame = "{пароль=тайна ".encode() + b'\xff "'
    result = cleaned(frame, "json", "auto", r"пароль=\S+")
    assert result.startswith(b"{[redacted] ")
    assert "тайна".encode() not in result


def test_bytes_beside_the_text_stay_as_they_were() -> None:
    frame = b"\xff\xfe\x00word=hunter2 \x80\x81"
    assert cleaned(frame, "protobuf", "alert") == b"\xff\xfe\x00[redacted] \x80\x81"


@pytest.mark.parametrize(
    "frame",
    ['{"a":"word","b":1}', '{"a":"\\u0041\\ud83d"}', "{", "", '{"é":"\\/"}', "nothing \\u0041"],
)
def test_a_frame_without_it_stays_the_same_to_the_byte(frame: str) -> None:
    for encoding, stream in (("json", "auto"), ("protobuf", "log"), ("", "")):
        for written in (frame.encode(), frame.encode() + b"\xff"):
            assert cleaned(written, encoding, stream) == written


SOUND: dict[str, Any] = {
    "Type": "MatchedPolicy", "Resource": f"curl word={SECRET} /x",
    "Owner": {"Name": f"word={SECRET}"}, "ATags": ["a", f"word={SECRET}"],
    "EventData": {"k": f"word={SECRET}", f"word={SECRET}": "v"},
}  # fmt: skip


def test_a_protobuf_message_is_redacted_field_by_field_and_can_be_read_again() -> None:
    result = cleaned(protobuf(SOUND, "alert"), "protobuf", "alert")
    (event,) = decode([row([result], "alert", "protobuf")]).batch.rows.to_pylist()
    assert event["resource"] == "curl [redacted] /x"
    assert event["owner_name"] == "[redacted]"
    assert event["atags"] == ["a", "[redacted]"]
    assert dict(event["event_data"]) == {"[redacted]": "v", "k": "[redacted]"}
    assert SECRET.encode() not in result


def parts(event: dict[str, Any]) -> list[bytes]:
    """The message with each of its texts spoiled, so that it is no UTF-8."""
    frame = protobuf(event, "alert")
    text = f"word={SECRET}".encode()
    at = [i for i in range(len(frame)) if frame.startswith(text, i)]
    return [frame[:i] + b"word=" + b"\xff" + frame[i + 6 :] for i in at]


def test_a_message_with_texts_that_are_not_utf8_keeps_no_secret() -> None:
    damaged = parts(SOUND)
    assert len(damaged) == 5
    again = 0
    for frame in damaged:
        assert decode([row([frame], "alert", "protobuf")]).rejected
        result = cleaned(frame, "protobuf", "alert")
        assert b"unter2" not in result
        again += len(decode([row([result], "alert", "protobuf")]).batch.rows)
    assert again == 4, "all can be read now, but for the one whose map has such a key"


def test_a_message_with_bad_utf8_and_no_secret_stays_the_same() -> None:
    frame = protobuf({"Resource": "\x01\x02", "ATags": ["\x01\x02"]}, "alert")
    frame = frame.replace(b"\x01\x02", b"\xff\xfe")
    assert cleaned(frame, "protobuf", "alert") == frame


def test_a_group_of_unknown_fields_is_looked_into() -> None:
    whole = unknown(f"word={SECRET}".encode())
    group = whole[whole.index(b"\xdb\x05") : whole.index(b"\xdc\x05") + 2]
    frame = protobuf({"Type": "HostLog"}, "log") + group
    assert cleaned(frame, "protobuf", "log") == protobuf({"Type": "HostLog"}, "log")


def test_values_behind_a_null_map_are_nobodys() -> None:
    column = events([{"event_data": [("k", "x")]}, {"event_data": [("k", f"word={SECRET}")]}])[
        "event_data"
    ]
    mask = pa.array([True, False])
    hidden = pa.MapArray.from_arrays(column.offsets, column.keys, column.items, mask=mask)
    place = SCHEMA.get_field_index("event_data")
    rows = events([{}, {}]).set_column(place, SCHEMA.field(place), hidden)
    assert redacted(rows, 1)["event_data"].to_pylist() == [None, [("k", "[redacted]")]]


def test_unknown_fields_of_a_message_are_let_go_where_one_holds_it() -> None:
    for secret, left in ((f"word={SECRET}", False), ("plain", True)):
        frame = protobuf({"Type": "HostLog"}, "log") + unknown(secret.encode())
        result = cleaned(frame, "protobuf", "log")
        assert (result == frame) is left
        assert SECRET.encode() not in result
        assert message_class("log").FromString(result).Type == "HostLog"  # type: ignore[attr-defined]


def test_the_first_of_two_values_of_a_field_is_gone_too() -> None:
    frame = protobuf({"Resource": f"word={SECRET}"}, "log") + protobuf({"Resource": "x"}, "log")
    result = cleaned(frame, "protobuf", "log")
    assert SECRET.encode() not in result
    assert message_class("log").FromString(result).Resource == "x"  # type: ignore[attr-defined]


@pytest.mark.parametrize("stream", ["alert", "log", "message", "gap", ""])
@pytest.mark.parametrize("cut", [1, 7, 30])
def test_a_message_that_is_cut_short_keeps_no_secret(stream: str, cut: int) -> None:
    frame = protobuf(SOUND, "alert")
    result = cleaned(frame[:-cut], "protobuf", stream)
    assert SECRET.encode() not in result


def test_every_redact_filter_reaches_dead_letters_in_turn() -> None:
    compiled = rules(
        RedactFilter(patterns=("a",), replacement="b"), RedactFilter(patterns=("b",), tag="*.log")
    )
    assert compiled.redact(letter(b'{"x":"a"}', "json", "auto")).frame == b'{"x":"[redacted]"}'


def test_a_letter_is_equal_where_nothing_is_redacted() -> None:
    whole = letter(b'{"x":1}', "json", "auto")
    assert rules(RedactFilter(patterns=("zzz",))).redact(whole) == whole
    assert msgspec.structs.asdict(whole)["encoding"] == "json"
