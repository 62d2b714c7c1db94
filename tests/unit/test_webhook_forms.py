"""What a webhook's message looks like, and that no event can mark anything up in it."""

import json
import re
from datetime import datetime
from typing import Any

import pytest

from armorstack.core.batch import SCHEMA
from armorstack.core.ecs import to_ecs
from armorstack.core.gap import Gap
from armorstack.core.text import UNSAFE
from armorstack.sinks.webhook.chat import LONG
from armorstack.sinks.webhook.entries import Entry, Told
from armorstack.sinks.webhook.forms import FORMS

T0, T1 = datetime(2026, 11, 23, 14, 10, 26, 530876), datetime(2026, 11, 23, 14, 12, 0)
GAP = Gap(
    reason="spool_overflow", source="relay/a", node="node-1", lost=3,
    start_us=1_795_446_000_000_000, end_us=1_795_446_060_000_000,
)  # fmt: skip
HOSTILE = (
    "<!channel> <!here> <@U123> <#C1> <!subteam^S1>",
    "<https://evil.example|click> https://evil.example [click](https://evil.example)",
    "</at> <at>all</at> @channel @here @everyone",
    "a` *bold* _it_ ~st~ `b ```c``` > quote :smile:",
    "&lt;!channel&gt; &amp;",
    "{{DATE(2026-11-23T14:10:26Z,SHORT)}} {{{TIME}}} ${x}",
    "line\nbreak\r\x00\x1b[31m\u202eright to left\u200b",
    '"quoted" \\ back',
    "x" * 9_000,
    "<" * 9_000,
    "\u202e" * 9_000,
)
CHOSEN_BY_EVENTS = (
    "stream", "action", "operation", "severity", "policy_name", "message", "resource",
    "process_name", "namespace_name", "pod_name", "container_name", "host_name", "cluster_name",
    "result",
)  # fmt: skip


def told(count: int = 1, **columns: Any) -> Told:
    known = {"time": T0, "received": T0, "stream": "alert", "type": "MatchedPolicy"}
    row = dict.fromkeys(SCHEMA.names) | known | columns
    return Told(row, Entry(indices=(0,), count=count, first=T0, last=T1 if count > 1 else T0))


def alert(**columns: Any) -> Told:
    known = {
        "action": "Block", "operation": "File", "severity": "8", "policy_name": "keep-secrets",
        "message": "credential file read", "resource": "/etc/passwd", "process_name": "/bin/cat",
        "namespace_name": "payments", "pod_name": "checkout-1", "container_name": "app",
        "host_name": "node-1", "cluster_name": "prod", "result": "Permission denied",
    }  # fmt: skip
    return told(**known | columns)


def hostile(text: str) -> Told:
    return told(count=2, **dict.fromkeys(CHOSEN_BY_EVENTS, text))


def message(form: str, *events: Told, gaps: tuple[Gap, ...] = ()) -> Any:
    return json.loads(FORMS[form].body(events, gaps))


def slack_texts(body: Any) -> list[str]:
    return [body["text"], *(block["text"]["text"] for block in body["blocks"])]


def teams_runs(body: Any) -> list[dict[str, Any]]:
    card = body["attachments"][0]["content"]
    return [run for block in card["body"] for run in block["inlines"]]


def test_json_has_each_event_as_ecs_with_count_and_span() -> None:
    each = alert(count=12)
    body = message("json", each, gaps=(GAP,))
    assert (body["version"], body["source"]) == (1, "armorstack")
    span = {"first": "2026-11-23T14:10:26.530876Z", "last": "2026-11-23T14:12:00.000000Z"}
    assert body["events"] == [to_ecs(each.row) | {"count": 12} | span]
    assert body["gaps"] == [
        {"reason": "spool_overflow", "source": "relay/a", "stream": "", "node": "node-1",
         "lost": 3, "start": "2026-11-23T15:00:00.000000Z", "end": "2026-11-23T15:01:00.000000Z",
         "detail": ""}
    ]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_json_keeps_values_exactly_in_ascii(text: str) -> None:
    body = FORMS["json"].body([told(resource=text)], ())
    assert body.isascii()
    assert not UNSAFE.search(body.decode())
    assert json.loads(body)["events"][0]["kubearmor"]["resource"] == text


def test_slack_shows_what_a_person_asks_first() -> None:
    body = message("slack", alert(count=12))
    assert body["text"] == "KubeArmor: 12 events · `Block` · `File` · severity `8` · 12 times"
    assert body["blocks"][1]["text"]["text"].splitlines() == [
        "`Block` · `File` · severity `8` · 12 times",
        "Policy: `keep-secrets` · `credential file read`",
        "Resource: `/etc/passwd`",
        "Process: `/bin/cat`",
        "Pod: `payments/checkout-1/app`",
        "Node: `node-1` · `prod`",
        "Result: `Permission denied`",
        "Time: 2026-11-23 14:10:26Z to 2026-11-23 14:12:00Z",
    ]


@pytest.mark.parametrize("text", HOSTILE)
def test_slack_takes_nothing_in_an_event_for_markup(text: str) -> None:
    body = message("slack", hostile(text))
    for shown in slack_texts(body):
        assert not re.search(r"[<>]|&(?!amp;|lt;|gt;)", shown)
        assert not UNSAFE.search(shown.replace("\n", ""))
        # Outside code spans there are only our own words.
        assert re.fullmatch(r"[\w ·:*…\n-]*", "".join(shown.split("`")[::2]))
        assert shown.count("`") % 2 == 0
    assert {block["text"]["verbatim"] for block in body["blocks"]} == {True}
    assert (body["parse"], body["link_names"]) == ("none", False)


@pytest.mark.parametrize("text", HOSTILE)
def test_slack_sections_are_never_too_long(text: str) -> None:
    body = message("slack", hostile(text))
    assert all(0 < len(shown) <= 3_000 for shown in slack_texts(body))


def test_slack_leaves_out_whole_lines_and_says_so() -> None:
    long = "&" * 9_000
    each = alert(message=long, resource=long, process_name=long)
    [*_, section] = slack_texts(message("slack", each))
    labels = [line.partition(":")[0] for line in section.splitlines()]
    assert labels[1:] == ["Policy", "Pod", "Node", "Result", "Time", "…"]


def test_teams_gets_a_card_in_the_envelope_of_a_workflow() -> None:
    body = message("teams", alert(count=12))
    assert body["type"] == "message"
    [attachment] = body["attachments"]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    card = attachment["content"]
    assert (card["type"], card["version"]) == ("AdaptiveCard", "1.2")
    lines = ["".join(run["text"] for run in block["inlines"]) for block in card["body"]]
    assert lines[:4] == [
        "KubeArmor: 12 events",
        "Block · File · severity 8 · 12 times",
        "Policy: keep-secrets · credential file read",
        "Resource: /etc/passwd",
    ]


@pytest.mark.parametrize("text", HOSTILE)
def test_teams_takes_nothing_in_an_event_for_markup(text: str) -> None:
    body = message("teams", hostile(text))
    [attachment] = body["attachments"]
    assert {block["type"] for block in attachment["content"]["body"]} == {"RichTextBlock"}
    assert "entities" not in attachment["content"]["msteams"]
    for run in teams_runs(body):
        assert run["type"] == "TextRun"
        assert not UNSAFE.search(run["text"])
        assert "{{" not in run["text"]
        if run.get("fontType") != "monospace":
            assert re.fullmatch(r"[\w ·:-]*", run["text"])


@pytest.mark.parametrize("form", ["slack", "teams"])
def test_long_values_are_cut_and_show_it(form: str) -> None:
    body = json.dumps(message(form, told(resource="y" * 9_000)), ensure_ascii=False)
    [shown] = re.findall("y{2,}…?", body)
    assert shown == "y" * (LONG - 1) + "…"


@pytest.mark.parametrize("form", ["slack", "teams"])
def test_escapes_do_not_make_a_value_longer(form: str) -> None:
    body = json.dumps(message(form, told(resource="\x01" * 9_000)), ensure_ascii=False)
    [shown] = re.findall(r"(?:\\\\x01)+", body)
    assert len(json.loads(f'"{shown}"')) < LONG


def test_an_event_without_values_is_shown_all_the_same() -> None:
    bare = Told(dict.fromkeys(SCHEMA.names), Entry((0,), 1, None, None))
    assert message("json", bare)["events"][0]["count"] == 1
    assert slack_texts(message("slack", bare))[2] == "`event`\nTime: unknown"
    assert [run["text"] for run in teams_runs(message("teams", bare))][1:] == [
        "event", "Time: unknown",
    ]  # fmt: skip


def test_gaps_are_told_as_sentences() -> None:
    one = Gap(reason="disconnect", source="", start_us=GAP.start_us, end_us=GAP.end_us)
    for form, texts in (
        ("slack", slack_texts(message("slack", gaps=(GAP, one)))[1:]),
        ("teams", _lines(message("teams", gaps=(GAP, one)))),
    ):
        about, first, second = (text.replace("`", "").strip("*") for text in texts)
        assert about == "KubeArmor: 2 gaps", form
        assert first == (
            "3 events were lost between 2026-11-23 15:00:00Z and 2026-11-23 15:01:00Z"
            " because the spool was full · relay/a · node-1"
        )
        assert second == (
            "Events may have been lost between 2026-11-23 15:00:00Z and 2026-11-23 15:01:00Z"
            " because the relay was out of reach"
        )


def _lines(body: Any) -> list[str]:
    card = body["attachments"][0]["content"]
    return ["".join(run["text"] for run in block["inlines"]) for block in card["body"]]


def test_a_gap_of_a_hostile_node_marks_nothing_up() -> None:
    gap = Gap(reason="throttled", source="relay", node=HOSTILE[0], start_us=0, end_us=1, lost=1)
    shown = slack_texts(message("slack", gaps=(gap,)))[-1]
    assert shown.startswith("1 event was lost between ")
    assert "<" not in shown


def test_one_event_fits_into_a_message_of_every_form() -> None:
    for text in HOSTILE:
        for name in ("slack", "teams"):
            assert len(FORMS[name].body([hostile(text)], ())) <= FORMS[name].max_bytes
