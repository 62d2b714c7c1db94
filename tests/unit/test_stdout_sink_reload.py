"""What a reload may do about the standard output."""

import pytest

from armorstack.cli.run import _refuse_late_stdout
from armorstack.config import Config, DuckdbSink, StdoutSink
from armorstack.errors import ConfigError

LOUD = Config(sink={"store": DuckdbSink(), "out": StdoutSink()})


def test_a_sink_on_stdout_cannot_join_a_summary_that_is_there() -> None:
    with pytest.raises(ConfigError, match=r"^\$\.sink\.out: ") as caught:
        _refuse_late_stdout(LOUD, summary_on_stdout=True)
    assert caught.value.hint


def test_a_sink_on_stdout_may_stay_where_the_summary_is_elsewhere() -> None:
    _refuse_late_stdout(LOUD, summary_on_stdout=False)
    _refuse_late_stdout(Config(), summary_on_stdout=True)
