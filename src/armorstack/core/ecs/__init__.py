"""One event as an ECS document: `to_ecs`, and `ECS_TYPES`, the engine type of every path in it.

What belongs here: pure rules from the columns of `core.batch.SCHEMA` to the Elastic Common Schema,
one named function per KubeArmor operation. Plain copies are not written here: they follow from the
`ecs` member of the table of fields.
Forbidden: I/O, clocks, index templates, anything about one engine.

    paths        every path that a rule writes, with type, source and meaning; ECS_TYPES
    draft        the plain copies, and how the parts become one nested document
    event_data   Data and Resource as a map, by KubeArmor's own rule
    operations   process, file, capabilities, syscall, device, alert threshold, message
    network      network and network firewall: addresses, transport, direction
    values       single values in the form that a typed field takes
    workload     pod, labels, container image
    policy       rule, tags, ATT&CK
    verdict      kind, category, type, action, outcome, severity
    document     the order in which all that is applied
"""

from armorstack.core.ecs.document import to_ecs
from armorstack.core.ecs.paths import ECS_TYPES

__all__ = ["ECS_TYPES", "to_ecs"]
