"""Our own feeder.proto, the field table and the descriptors say the same."""

from importlib.resources import files

import pytest

from armorstack.core.batch import SCHEMA
from armorstack.core.fields import FIELDS, STREAMS, Stream
from armorstack.core.proto import message_class, message_class_named, render


def test_feeder_proto_is_what_the_field_table_renders() -> None:
    assert (files("armorstack.core") / "feeder.proto").read_text() == render()


@pytest.mark.parametrize("stream", STREAMS)
def test_every_numbered_field_is_in_its_message_and_no_number_is_used_twice(
    stream: Stream,
) -> None:
    fields = {f.name: f.number for f in message_class(stream).DESCRIPTOR.fields}
    wanted = {f.name: f.number(stream) for f in FIELDS if not f.parent and f.number(stream)}
    assert wanted.items() <= fields.items()
    assert len(set(fields.values())) == len(fields)


def test_numbers_of_fields_that_came_and_went_are_as_kubearmor_has_them() -> None:
    """Spot checks against section 4 of KubeArmor 1.7's kubearmor.proto, written out by hand."""
    alert = {f.name: f.number for f in message_class("alert").DESCRIPTOR.fields}
    log = {f.name: f.number for f in message_class("log").DESCRIPTOR.fields}
    message = {f.name: f.number for f in message_class("message").DESCRIPTOR.fields}
    assert [alert[n] for n in ("Owner", "EventData", "UserName", "Labels")] == [31, 43, 44, 29]
    assert [log[n] for n in ("Owner", "EventData", "UserName", "Labels")] == [24, 33, 34, 23]
    assert [message[n] for n in ("HostIP", "Type", "Level", "Message")] == [5, 6, 7, 8]
    assert (len(alert), len(log), len(message)) == (44, 34, 8)


def test_columns_and_query_names_are_unique() -> None:
    assert len(set(SCHEMA.names)) == len(SCHEMA.names)
    names = [f.query for f in FIELDS if f.query]
    assert len(set(names)) == len(names)


def test_a_health_check_message_carries_its_nonce() -> None:
    nonce = message_class_named("NonceMessage")(nonce=7)
    assert nonce.SerializeToString() == b"\x08\x07"
