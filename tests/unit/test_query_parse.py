"""What people type, and the tree that it becomes."""

from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

import pytest

from armorstack.core.query.event_id import encode_id
from armorstack.core.query.names import ALIASES, QUERY_FIELDS
from armorstack.core.query.parse import parse
from armorstack.core.query.tree import (
    EVERYTHING,
    And,
    Compare,
    Exists,
    Free,
    Match,
    Node,
    Not,
    Or,
)

NOW = datetime(2026, 11, 23, 15, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
ID = encode_id(bytes(range(200, 232)))
A, B = Match("pod", ("a",)), Match("pod", ("b",))
X, Y = Free("x"), Free("y")


def us(moment: datetime) -> int:
    return round(moment.timestamp() * 1_000_000)


def utc(*parts: int) -> int:
    return us(datetime(*parts, tzinfo=UTC))  # type: ignore[misc, arg-type]


def tree(text: str, zone: tzinfo | None = None) -> Node:
    return parse(text, us(NOW), zone)


def span(start: int, end: int, field: str = "time") -> Node:
    return And((Compare(field, ">=", start), Compare(field, "<", end)))


@pytest.mark.parametrize(
    ("text", "node"),
    [
        ("", EVERYTHING), ("  \n", EVERYTHING), ("*", EVERYTHING), ("**", EVERYTHING),
        ("* x", X), ("* or x", EVERYTHING), ("not *", Not(EVERYTHING)),
        ("x y", And((X, Y))), ("x and y", And((X, Y))), ("x AND y", And((X, Y))),
        ("x && y", And((X, Y))), ("x&&y", And((X, Y))), ("x or y", Or((X, Y))),
        ("x OR y", Or((X, Y))), ("x || y", Or((X, Y))), ("x||y", Or((X, Y))),
        ("not x", Not(X)), ("NOT x", Not(X)), ("!x", Not(X)), ("! x", Not(X)), ("-x", Not(X)),
        ("not not x", Not(Not(X))), ("--x", Free("--x")), ("x -y", And((X, Not(Y)))),
        ("x-y", Free("x-y")), ("-pod:a", Not(A)), ("not(pod:a)", Not(A)), ("!(pod:a)", Not(A)),
        ("x y or pod:a pod:b", Or((And((X, Y)), And((A, B))))),
        ("x and (y or pod:a)", And((X, Or((Y, A))))), ("(x)(y)", And((X, Y))),
        ("not x y", And((Not(X), Y))), ("not (x y)", Not(And((X, Y)))), ("((x))", X),
        ("x and (y and pod:a)", And((X, Y, A))), ("(x or y) or pod:a", Or((X, Y, A))),
        ("android order nothing", And((Free("android"), Free("order"), Free("nothing")))),
        ("pod:a or pod:b", Match("pod", ("a", "b"))), ("pod:a or pod:a", A),
        ("pod:a or x or pod:b", Or((Match("pod", ("a", "b")), X))),
        ("pod:a or not pod:b", Or((A, Not(B)))), ("pod:a pod:b", And((A, B))),
        ("pod:a or node:a", Or((A, Match("node", ("a",))))),
        ('pod:a or pod:"a*"', Or((A, Match("pod", ("a*",), exact=True)))),
    ],
)  # fmt: skip
def test_tests_are_joined(text: str, node: Node) -> None:
    assert tree(text) == node


@pytest.mark.parametrize(
    ("text", "field", "values"),
    [
        ("pod:web", "pod", "web"), ("pod: web", "pod", "web"), ("pod : web", "pod", "web"),
        ("pod=web", "pod", "web"), ("pod==web", "pod", "web"), ("PodName:web", "pod", "web"),
        ("podname:web", "pod", "web"), ("pod:web-*", "pod", "web-*"), ("pod:[ab]*", "pod", "[ab]*"),
        ("pod:[!a-c]?", "pod", "[!a-c]?"), ("resource:/etc/passwd", "resource", "/etc/passwd"),
        ("image:registry:5000/x:1.2", "image", "registry:5000/x:1.2"),
        ("image:x@sha256:0a1b", "image", "x@sha256:0a1b"),
        ("node_ip:10.0.0.1", "node_ip", "10.0.0.1"),
        ("node_ip:fe80::1", "node_ip", "fe80::1"), ("label:app=web", "label", "app=web"),
        ("label=app=web", "label", "app=web"),
        ("owner:Deployment/checkout", "owner", "Deployment/checkout"),
        ("data:flags=O_RDONLY|O_CLOEXEC", "data", "flags=O_RDONLY|O_CLOEXEC"),
        ("data:-f", "data", "-f"), ("data:a,b", "data", "a,b"), ("data:f(1)", "data", "f(1)"),
        ("data:f((1))(2)", "data", "f((1))(2)"), ("data:can't", "data", "can't"),
        ("pod:(web)", "pod", "web"), ('pod:"web"', "pod", "web"), ("pod:'web 1'", "pod", "web 1"),
        (r'pod:"a\"b\\c\d"', "pod", r'a"b\c\d'), (r"pod:'it\'s'", "pod", "it's"),
        (r"pod:it\'s", "pod", "it's"), (r"pod:a\ b", "pod", "a b"), (r"pod:a\d", "pod", r"a\d"),
        ("pod:\\", "pod", "\\"), (r"pod:a\,", "pod", "a,"), (r"pod:\!a", "pod", "!a"),
        ("operation:not", "operation", "not"), ('operation:"and"', "operation", "and"),
        ("tag:a=b", "tag", "a=b"), ("policy:é日", "policy", "é日"), (r"pod:a\&&b", "pod", "a&&b"),
    ],
)  # fmt: skip
def test_values_need_no_quotes_as_a_rule(text: str, field: str, values: str) -> None:
    assert tree(text) == Match(field, (values,))


@pytest.mark.parametrize(
    ("text", "node"),
    [
        ('pod:"a*"', Match("pod", ("a*",), exact=True)), ("pod:''", Match("pod",
        ("",), exact=True)),
        (r"pod:a\*", Match("pod", ("a*",), exact=True)), (r"pod:\[a]", Match("pod",
        ("[a]",), exact=True)),
        (r"pod:a\*b*", Match("pod", ("a[*]b*",))), (r"pod:\?\[*", Match("pod", ("[?][[]*",))),
        ("pod:a[", Match("pod", ("a[",))), (r"resource:cat\ *", Match("resource", ("cat *",))),
    ],
)  # fmt: skip
def test_a_quoted_character_is_never_special(text: str, node: Node) -> None:
    assert tree(text) == node


@pytest.mark.parametrize(
    ("text", "node"),
    [
        ("pod:(a, b)", Match("pod", ("a", "b"))), ("pod:(a,b)", Match("pod", ("a", "b"))),
        ("pod:(a or b)", Match("pod", ("a", "b"))), ("pod:(a || b)", Match("pod", ("a", "b"))),
        ("pod=(a,b*)", Match("pod", ("a", "b*"))), ("pod:(a)", A),
        ("pod:(a and b)", And((A, B))), ("pod:(not a)", Not(A)),
        ("pod:(a, not b)", Or((A, Not(B)))),
        ("pod:((a or b) and not b)", And((Match("pod", ("a", "b")), Not(B)))),
        ("pod:(-f)", Match("pod", ("-f",))), ("pod:(f(1), g)", Match("pod", ("f(1)", "g"))),
        ('pod:("a, b", c)', Match("pod", ("a, b", "c"))), ("pod!=(a, b)", Not(Match("pod",
        ("a", "b")))),
        ("severity:(7, 9)", Or((Compare("severity", "=", 7), Compare("severity", "=", 9)))),
        ("pod:(a) x", And((A, X))), ("pod:(* , a)", Or((Exists("pod"), A))),
        ("exists:(pod, node)", Or((Exists("pod"), Exists("node")))),
    ],
)  # fmt: skip
def test_values_in_parentheses_are_a_query_of_their_own(text: str, node: Node) -> None:
    assert tree(text) == node


@pytest.mark.parametrize(
    ("text", "node"),
    [
        ("exists:pod", Exists("pod")), ("exists:PodName", Exists("pod")), ("pod:*", Exists("pod")),
        ("EXISTS:pod", Exists("pod")), ("pod=*", Exists("pod")), ("pod!=*", Not(Exists("pod"))),
        ("severity:*", Exists("severity")), ("time:*", Exists("time")), ("pod:**", Exists("pod")),
        ("event_data.Fd:*", Exists("event_data", "Fd")), ("event_data:*", Exists("event_data")),
        ("exists:event_data.Fd", Exists("event_data", "Fd")), ('pod:"*"', Match("pod",
        ("*",), exact=True)),
        ("not exists:pod", Not(Exists("pod"))), ("id:*", Exists("id")),
    ],
)  # fmt: skip
def test_a_star_alone_asks_whether_there_is_a_value(text: str, node: Node) -> None:
    assert tree(text) == node


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("event_data.Syscall:SYS_*", "Syscall", "SYS_*"), ("EventData.Fd=3", "Fd", "3"),
        ("event_data.a.b:c", "a.b", "c"), ('event_data."a b":c', "a b", "c"),
        ("event_data:x", "", "x"),
        (r'event_data."it\"s".x:c', 'it"s.x', "c"), ("event_data.a-b:c", "a-b", "c"),
    ],
)  # fmt: skip
def test_a_map_is_asked_by_its_keys(text: str, key: str, value: str) -> None:
    assert tree(text) == Match("event_data", (value,), key=key)


@pytest.mark.parametrize(
    ("text", "node"),
    [
        ("nginx", Free("nginx")), ('"free text"', Free("free text")), ("'a b'", Free("a b")),
        ("/etc/*.conf", Free("/etc/*.conf")), ('"*.conf"', Free("*.conf", exact=True)),
        (r"\*.conf", Free("*.conf", exact=True)), ("[a]", Free("[a]")), ('"a[b]"', Free("a[b]")),
        ('"and"', Free("and")), ("10.0.0.1:443", Free("10.0.0.1:443")), ("/a:b=c", Free("/a:b=c")),
        (r"a\:b", Free("a:b")), (r"\-x", Free("-x")), ('"http://x"', Free("http://x")),
        ("a?", Free("a?")), ("日本", Free("日本")), ("(x)", X),
    ],
)  # fmt: skip
def test_what_has_no_field_is_free_text(text: str, node: Node) -> None:
    assert tree(text) == node


@pytest.mark.parametrize(
    ("text", "node"),
    [
        ("severity:7", Compare("severity", "=", 7)), ("severity=7", Compare("severity", "=", 7)),
        ("severity == 7", Compare("severity", "=", 7)),
        ("severity!=7", Not(Compare("severity", "=", 7))),
        ("severity>7", Compare("severity", ">", 7)),
        ("severity >= 7", Compare("severity", ">=", 7)),
        ("severity<7", Compare("severity", "<", 7)), ("severity<=7", Compare("severity", "<=", 7)),
        ('severity:"7"', Compare("severity", "=", 7)), ("uid:-1", Compare("uid", "=", -1)),
        ("uid:+1", Compare("uid", "=", 1)), ("pid>=0", Compare("pid", ">=", 0)),
        ("severity:7..10", And((Compare("severity", ">=", 7), Compare("severity", "<=", 10)))),
        ("severity=7..7", And((Compare("severity", ">=", 7), Compare("severity", "<=", 7)))),
        ("severity:7..", Compare("severity", ">=", 7)),
        ("severity:..3", Compare("severity", "<=", 3)),
        ("severity:-3..-1", And((Compare("severity", ">=", -3), Compare("severity", "<=", -1)))),
        ("timestamp>=1795443000", Compare("timestamp", ">=", 1795443000)),
        ("pid:999999999999999999", Compare("pid", "=", 999_999_999_999_999_999)),
        ("ppid:1 PPID:2", And((Compare("ppid", "=", 1), Compare("PPID", "=", 2)))),
    ],
)  # fmt: skip
def test_numbers_are_compared(text: str, node: Node) -> None:
    assert tree(text) == node


DAY = 86_400_000_000


@pytest.mark.parametrize(
    ("text", "node"),
    [
        ("time>=now-24h", Compare("time", ">=", us(NOW) - DAY)),
        ("time>=24h", Compare("time", ">=", us(NOW) - DAY)),
        ("time<now", Compare("time", "<", us(NOW))),
        ("received>=now-1h30m", Compare("received", ">=", us(NOW) - 5_400_000_000)),
        ("UpdatedTime>now-1d", Compare("time", ">", us(NOW) - DAY)),
        ("time:2026-11-23", span(utc(2026, 11, 23), utc(2026, 11, 24))),
        ("time!=2026-11-23", Not(span(utc(2026, 11, 23), utc(2026, 11, 24)))),
        ("time>=2026-11-23", Compare("time", ">=", utc(2026, 11, 23))),
        ("time<2026-11-23", Compare("time", "<", utc(2026, 11, 23))),
        ("time>2026-11-23", Compare("time", ">=", utc(2026, 11, 24))),
        ("time<=2026-11-23", Compare("time", "<", utc(2026, 11, 24))),
        ("time:2026-11-22..2026-11-23", span(utc(2026, 11, 22), utc(2026, 11, 24))),
        ("time:2026-11-23..", Compare("time", ">=", utc(2026, 11, 23))),
        ("time:..2026-11-23", Compare("time", "<", utc(2026, 11, 24))),
        ("time:..now-1d", Compare("time", "<", us(NOW) - DAY)),
        ("time:2026-11-23T10:00..2026-11-23T11:00",
         span(utc(2026, 11, 23, 10), utc(2026, 11, 23, 11))),
        ("time:now-2h..now-1h", span(utc(2026, 11, 23, 13), utc(2026, 11, 23, 14))),
        ("time:2026-11-23T10", span(utc(2026, 11, 23, 10), utc(2026, 11, 23, 11))),
        ("time:2026-11-23T10:15", span(utc(2026, 11, 23, 10, 15), utc(2026, 11, 23, 10, 16))),
        ("time:2026-11-23T10:15Z", span(utc(2026, 11, 23, 10, 15), utc(2026, 11, 23, 10, 16))),
        ("time:2026-11-23T10:15:20",
         span(utc(2026, 11, 23, 10, 15, 20), utc(2026, 11, 23, 10, 15, 21))),
        ("time:2026-11-23T10:15:20.5", span(
            utc(2026, 11, 23, 10, 15, 20, 500_000), utc(2026, 11, 23, 10, 15, 20, 600_000))),
        ("time:2026-11-23T10:15:20.500001Z", span(
            utc(2026, 11, 23, 10, 15, 20, 500_001), utc(2026, 11, 23, 10, 15, 20, 500_002))),
        ("time>2026-11-23T10:15", Compare("time", ">", utc(2026, 11, 23, 10, 15))),
        ("time<=2026-11-23T10:15", Compare("time", "<=", utc(2026, 11, 23, 10, 15))),
        ('time>="2026-11-23 10:15"', Compare("time", ">=", utc(2026, 11, 23, 10, 15))),
        ("time>=2026-11-23T10:15+02:00", Compare("time", ">=", utc(2026, 11, 23, 8, 15))),
        ("time:1795443000", span(1_795_443_000_000_000, 1_795_443_001_000_000)),
        ("time:1795443000123", span(1_795_443_000_123_000, 1_795_443_000_124_000)),
        ("time>=1795443000123", Compare("time", ">=", 1_795_443_000_123_000)),
        ("time:9999-12-31", span(utc(9999, 12, 31), utc(9999, 12, 31) + DAY)),
    ],
)  # fmt: skip
def test_times_are_moments_and_days_are_whole(text: str, node: Node) -> None:
    assert tree(text) == node


def test_days_and_times_are_meant_in_the_readers_zone() -> None:
    start = us(datetime(2026, 11, 23, tzinfo=BERLIN))
    assert tree("time:2026-11-23", BERLIN) == span(start, start + DAY)
    ten = us(datetime(2026, 11, 23, 10, tzinfo=BERLIN))
    assert tree("time>=2026-11-23T10:00", BERLIN) == Compare("time", ">=", ten)
    assert tree("time>=2026-11-23T09:00Z", BERLIN) == Compare("time", ">=", ten)


def test_a_day_on_which_clocks_are_set_back_has_25_hours() -> None:
    start = us(datetime(2026, 10, 25, tzinfo=BERLIN))
    assert tree("time:2026-10-25", BERLIN) == span(start, start + DAY + 3_600_000_000)


def test_an_id_may_be_written_in_either_form() -> None:
    digest = bytes(range(200, 232))
    standard = ID.translate({ord("-"): "+", ord("_"): "/"}) + "="
    assert standard != ID
    for written in (ID, ID + "=", standard, f'"{standard}"'):
        assert tree(f"id:{written}") == Match("id", (encode_id(digest),))


@pytest.mark.parametrize("name", [*QUERY_FIELDS, *ALIASES])
def test_every_field_can_be_asked_by_every_name(name: str) -> None:
    canonical = ALIASES.get(name, name)
    assert tree(f"{name}:*") == Exists(canonical)
    assert tree(f"exists:{name}") == Exists(canonical)


def test_a_list_may_be_long() -> None:
    names = [f"pod-{number}" for number in range(500)]
    assert tree(f"pod:({','.join(names)})") == Match("pod", tuple(names))
