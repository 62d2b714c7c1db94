"""Package `feeder` as protobuf descriptors, built from the field table.

`feeder.proto` beside this file is the same in writing, for people; `render` makes it and a test
holds the two together. Fields have explicit presence here (proto2), which reads the same bytes as
KubeArmor's proto3 and tells an absent value from a present zero. UTF-8 is still demanded, by ptars.

Must not go here: sockets, stubs, the meaning of any field.
"""

from functools import cache
from typing import Any

import ptars
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import Message

from armorstack.core.fields import FIELDS, MESSAGE_NAMES, NESTED, Field, Kind, Stream

PACKAGE = "feeder"
SERVICE = "feeder.LogService"

_FieldProto = descriptor_pb2.FieldDescriptorProto
_TYPES: dict[Kind, Any] = {
    "text": _FieldProto.TYPE_STRING,
    "texts": _FieldProto.TYPE_STRING,
    "int32": _FieldProto.TYPE_INT32,
    "int64": _FieldProto.TYPE_INT64,
}
_SMALL_MESSAGES: dict[str, tuple[str, str, int]] = {
    "NonceMessage": ("int32", "nonce", 1),
    "ReplyMessage": ("int32", "Retval", 1),
    "RequestMessage": ("text", "Filter", 1),
}


def _add(message: descriptor_pb2.DescriptorProto, field: Field, number: int) -> None:
    repeated = field.kind in ("texts", "map")
    made = message.field.add(
        name=field.leaf,
        number=number,
        label=_FieldProto.LABEL_REPEATED if repeated else _FieldProto.LABEL_OPTIONAL,
    )
    if field.kind != "map":
        made.type = _TYPES[field.kind]
        return
    entry = message.nested_type.add(name=f"{field.leaf}Entry")
    entry.options.map_entry = True
    for position, name in enumerate(("key", "value"), start=1):
        entry.field.add(
            name=name,
            number=position,
            type=_FieldProto.TYPE_STRING,
            label=_FieldProto.LABEL_OPTIONAL,
        )
    made.type = _FieldProto.TYPE_MESSAGE
    made.type_name = f".{PACKAGE}.{message.name}.{entry.name}"


def _add_stream(file: descriptor_pb2.FileDescriptorProto, stream: Stream) -> None:
    message = file.message_type.add(name=MESSAGE_NAMES[stream])
    for parent, (type_name, numbers) in NESTED.items():
        if stream in numbers:
            message.field.add(
                name=parent,
                number=numbers[stream],
                type=_FieldProto.TYPE_MESSAGE,
                type_name=f".{PACKAGE}.{type_name}",
                label=_FieldProto.LABEL_OPTIONAL,
            )
    for field in FIELDS:
        if not field.parent and field.number(stream):
            _add(message, field, field.number(stream))


def file_descriptor() -> descriptor_pb2.FileDescriptorProto:
    """The whole of package `feeder` but for its service, whose calls carry raw bytes."""
    file = descriptor_pb2.FileDescriptorProto(name="feeder.proto", package=PACKAGE, syntax="proto2")
    for name, (kind, field_name, number) in _SMALL_MESSAGES.items():
        file.message_type.add(name=name).field.add(
            name=field_name,
            number=number,
            type=_FieldProto.TYPE_INT32 if kind == "int32" else _FieldProto.TYPE_STRING,
            label=_FieldProto.LABEL_OPTIONAL,
        )
    for parent, (type_name, _) in NESTED.items():
        message = file.message_type.add(name=type_name)
        for field in FIELDS:
            if field.parent == parent:
                _add(message, field, field.alert)
    for stream in MESSAGE_NAMES:
        _add_stream(file, stream)
    return file


@cache
def _pool() -> descriptor_pool.DescriptorPool:
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file_descriptor().SerializeToString())
    return pool


@cache
def message_class(stream: Stream) -> type[Message]:
    """The protobuf class of a stream's events."""
    return message_class_named(MESSAGE_NAMES[stream])


@cache
def message_class_named(name: str) -> type[Message]:
    """The protobuf class of a message of package `feeder`, such as `NonceMessage`."""
    descriptor = _pool().FindMessageTypeByName(f"{PACKAGE}.{name}")
    return message_factory.GetMessageClass(descriptor)


@cache
def arrow_handler(stream: Stream) -> Any:
    """The ptars handler that turns a stream's messages into an Arrow record batch."""
    pool = ptars.HandlerPool([_pool().FindFileByName("feeder.proto")])
    return pool.get_for_message(message_class(stream).DESCRIPTOR)


def _render_field(field: Field, number: int) -> str:
    kinds = {"text": "string", "texts": "repeated string", "map": "map<string, string>"}
    return f"  {kinds.get(field.kind, field.kind)} {field.leaf} = {number};"


def _render_stream(stream: Stream) -> list[str]:
    lines = {
        numbers[stream]: f"  {type_name} {parent} = {numbers[stream]};"
        for parent, (type_name, numbers) in NESTED.items()
        if stream in numbers
    }
    for field in FIELDS:
        if not field.parent and field.number(stream):
            lines[field.number(stream)] = _render_field(field, field.number(stream))
    return [f"message {MESSAGE_NAMES[stream]} {{", *(lines[n] for n in sorted(lines)), "}", ""]


def render() -> str:
    """The text of `feeder.proto` (proto3, as KubeArmor's own)."""
    lines = [
        "// Made from core/fields.py by armorstack.core.proto.render; do not edit.",
        'syntax = "proto3";',
        f"package {PACKAGE};",
        "",
    ]
    for name, (kind, field_name, number) in _SMALL_MESSAGES.items():
        scalar = "string" if kind == "text" else kind
        lines += [f"message {name} {{", f"  {scalar} {field_name} = {number};", "}", ""]
    for parent, (type_name, _) in NESTED.items():
        inner = [_render_field(f, f.alert) for f in FIELDS if f.parent == parent]
        lines += [f"message {type_name} {{", *inner, "}", ""]
    for stream in MESSAGE_NAMES:
        lines += _render_stream(stream)
    lines += [
        "service LogService {",
        "  rpc HealthCheck(NonceMessage) returns (ReplyMessage);",
        *(
            f"  rpc Watch{name}s(RequestMessage) returns (stream {name});"
            for name in ("Message", "Alert", "Log")
        ),
        "}",
    ]
    return "\n".join(lines) + "\n"
