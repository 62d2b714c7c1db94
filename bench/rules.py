"""Settings with ten selects and three filters, as the bench holds them against a bare receive, and
the time that a file of 500 filters takes.

The selects ask all that is costly: lists, labels, globs in the middle of long texts, negations. Few
events are dropped, so that every filter sees nearly all.
"""

import tempfile
import time
from pathlib import Path

from armorstack.config import Config, load
from armorstack.core.rules import compile_rules

SETTINGS = r"""
[[filter]]
type = "drop"
select = { namespaces = ["kube-*", "monitoring"], results = ["passed"], resources = ["*/cache/*"] }

[[filter]]
type = "redact"
patterns = ['(?i)(password|token|secret)[=:]\S+', 'AKIA[0-9A-Z]{16}']

[[filter]]
type = "throttle"
events = 1000000
by = ["namespace", "policy"]
select = { actions = ["audit"], severity = { min = 3 }, tags = { exclude = ["PCI*"] } }

[[match]]
sink = "duckdb"
select = { pods = ["*-?[a-z0-9]*"], policies = { exclude = ["DefaultPosture"] } }
[[match]]
sink = "duckdb"
select = { labels = ["app=*"], containers = ["*"] }
[[match]]
sink = "duckdb"
select = { owners = ["Deployment/*"], operations = ["process", "file"] }
[[match]]
sink = "duckdb"
select = { processes = ["/usr/bin/*"], parents = { exclude = ["*/runc"] } }
[[match]]
sink = "duckdb"
select = { images = ["docker.io/*"], types = ["m*"], intended_actions = { exclude = ["allow"] } }
[[match]]
sink = "duckdb"
select = { resources = ["/etc/*", "*shadow*"], tags = ["MITRE*", "NIST*"] }
[[match]]
sink = "duckdb"
select = { clusters = ["*"], nodes = ["node-*"], sources = ["*bash*"] }
[[match]]
sink = "duckdb"
select = { severity = { min = 1, max = 4 } }

[sink.duckdb]
"""
SELECTS = SETTINGS.count("select = ")
"""Ten."""
FILTERS = SETTINGS.count("[[filter]]")

ONE_OF_MANY = """
[[filter]]
type = "drop"
tag = "kubearmor.log"
select = {{ namespaces = ["team-{0}-*"], processes = ["/opt/{0}/*"], resources = ["*/tmp/{0}?"] }}
"""


def settings(text: str) -> Config:
    """The settings tree of this TOML."""
    with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
        file.write(text)
        file.flush()
        return load(Path(file.name), environ={})


def seconds_to_load(filters: int = 500) -> float:
    """CPU seconds from the file to the compiled rules."""
    text = "".join(ONE_OF_MANY.format(number) for number in range(filters))
    begin = time.process_time()
    compiled = compile_rules(settings(text), "duckdb")
    used_s = time.process_time() - begin
    assert len(compiled.filters) == filters
    return used_s
