"""Kinds of numbers that settings are made of, each with its bounds."""

from typing import Annotated

from msgspec import Meta

MIB = 1024 * 1024

Seconds = Annotated[float, Meta(gt=0)]
PerSecond = Annotated[float, Meta(gt=0)]
Positive = Annotated[int, Meta(gt=0)]
Count = Annotated[int, Meta(ge=0)]
Severity = Annotated[int, Meta(ge=1, le=10)]
