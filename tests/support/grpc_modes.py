"""grpcio as it is, and as it would be had its experimental option gone."""

import types

import grpc
import pytest

from armorstack.sources import relay_link


def without_option(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the relay source see a grpcio that has never heard of the single-threaded option."""
    experimental = types.SimpleNamespace()
    seen = types.SimpleNamespace(**{**vars(grpc), "experimental": experimental})
    monkeypatch.setattr(relay_link, "grpc", seen)
