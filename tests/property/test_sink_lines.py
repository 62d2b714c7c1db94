"""Whatever an event says, it is one line, safe to show, and the line says what the event says."""

import json

from hypothesis import given
from hypothesis import strategies as st

from armorstack.config import Form
from armorstack.core.text import UNSAFE
from armorstack.sinks.lines import event_lines
from tests.support.stores import NOW_US, rows

FORMS: tuple[Form, ...] = ("ecs", "kubearmor")
UNSAFE_SIGNS = st.sampled_from("\x00\n\r\x1b\x7f\x85\x9b\xad\u200b\u2028\u202e\ufeff\U000e0041")
TEXTS = st.text(st.one_of(st.characters(exclude_categories=["Cs"]), UNSAFE_SIGNS), min_size=1)


@given(TEXTS, st.sampled_from(FORMS))
def test_any_text_survives_in_one_line_that_is_safe_to_show(text: str, form: Form) -> None:
    [line] = event_lines(rows([("a", NOW_US)], data=text, policy_name=text), form)
    shown = line.decode()
    assert shown.index("\n") == len(shown) - 1
    assert not UNSAFE.search(shown[:-1])
    event = json.loads(line)
    assert (event["Data"] if form == "kubearmor" else event["kubearmor"]["data"]) == text
