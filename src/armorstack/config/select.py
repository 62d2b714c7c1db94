"""Which events are meant: the select of a filter, a match or a sink, and the pattern of a tag.

What a select means is told here and in `docs/pipeline.md`; `core/select.py` compiles it. Globs:
`*` is any text, also `/`; `?` is one character; `[abc]`, `[!abc]` one of some. An absent value
counts as an empty text, and an event without tags or labels as one with one empty tag or label.
"""

from msgspec import Struct

from armorstack.config.scalars import Severity

EVERY_TAG = "**"
"""Also tags that a filter of type `set` gave: nothing must slip past a redaction by its tag."""


class Globs(Struct, frozen=True, forbid_unknown_fields=True):
    """What a value must match, and what it must not."""

    include: tuple[str, ...] = ()
    """At least one of these must match; empty: anything will do."""
    exclude: tuple[str, ...] = ()
    """None of these may match."""


Values = tuple[str, ...] | Globs
"""A list is short for `include`."""


class SeverityRange(Struct, frozen=True, forbid_unknown_fields=True):
    """Severities of policies; an event without one is never in it."""

    min: Severity = 1
    """The lowest that is meant."""
    max: Severity = 10
    """The highest that is meant."""


class Select(Struct, frozen=True, forbid_unknown_fields=True):
    """Events for which every key that is given holds; without any key: all events."""

    clusters: Values = ()
    """ClusterName."""
    nodes: Values = ()
    """HostName."""
    namespaces: Values = ()
    """NamespaceName; absent on events of a node itself."""
    pods: Values = ()
    """PodName."""
    owners: Values = ()
    """Owner.Name, or `Kind/Name`, such as `Deployment/checkout`."""
    labels: Values = ()
    """Each of the pod's labels, as `key=value`."""
    containers: Values = ()
    """ContainerName."""
    images: Values = ()
    """ContainerImage, with tag or digest."""
    policies: Values = ()
    """PolicyName; `DefaultPosture` where no policy matched."""
    types: Values = ()
    """Type, such as MatchedPolicy or HostLog; upper and lower case are alike."""
    operations: Values = ()
    """Operation, such as Process, File or Network; upper and lower case are alike."""
    actions: Values = ()
    """What was done, such as Block or Audit, or Action as written; case is ignored."""
    intended_actions: Values = ()
    """What an audited policy would have done: Block in `Audit (Block)`; case is ignored."""
    results: Values = ()
    """Result, such as Passed or Permission denied; upper and lower case are alike."""
    severity: SeverityRange | None = None
    """The range that the severity lies in; absent: any, and none."""
    tags: Values = ()
    """Each of the policy's tags (ATags); not to be confused with the tag of the pipeline."""
    processes: Values = ()
    """ProcessName: the path of the executable."""
    parents: Values = ()
    """ParentProcessName."""
    sources: Values = ()
    """Source: the calling process, sometimes with its command line."""
    resources: Values = ()
    """Resource: the path, command line or address that was acted on."""
