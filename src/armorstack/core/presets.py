"""Ready filters, off by default: what `type = "preset"` stands for.

Each answers something that KubeArmor's users ask for; the numbers are those of its repository.
A select beside the preset narrows it.

- `passed-noise` (#904): logs of what simply worked. Alerts stay.
- `default-posture-apart` (#2789): events of the default posture get a tag of their own, so that a
  match or a later filter can treat them apart from those of a policy.
- `own-traffic`: with host visibility KubeArmor reports every connection to its own feed, so that a
  reader on a node makes the events that it reads.
- `known-noisy-paths` (#804): opened files below /proc and /sys and what every start of a process
  opens; logs only, since an alert about such a file is what its policy is for.
"""

from collections.abc import Iterator

from msgspec.structs import replace

from armorstack.config import (
    EVERY_TAG,
    DropFilter,
    Filter,
    Preset,
    PresetFilter,
    Select,
    SetFilter,
    filter_name,
)
from armorstack.errors import ConfigError

APART_TAG = "kubearmor.alert.posture"
LOGS = "kubearmor.log"

PRESETS: dict[Preset, tuple[Filter, ...]] = {
    "passed-noise": (DropFilter(tag=LOGS, select=Select(results=("Passed",))),),
    "default-posture-apart": (
        SetFilter(
            tag="kubearmor.alert", select=Select(policies=("DefaultPosture",)),
            fields={"tag": APART_TAG},
        ),
    ),
    "own-traffic": (
        DropFilter(
            tag=LOGS,
            select=Select(
                operations=("Network",),
                resources=("*port=32767", "*port=32767 *"),
            ),
        ),
        DropFilter(
            tag=LOGS,
            select=Select(
                operations=("Network",),
                processes=("*/kubearmor", "*/kubearmor-relay-server", "*/relay-server"),
            ),
        ),
    ),
    "known-noisy-paths": (
        DropFilter(
            tag=LOGS,
            select=Select(
                operations=("File",),
                results=("Passed",),
                resources=(
                    "/proc/*", "/sys/*", "/dev/null", "/dev/urandom", "/dev/pts/*",
                    "/etc/ld.so.cache", "/etc/localtime", "/etc/nsswitch.conf",
                    "/usr/share/locale/*", "/usr/share/zoneinfo/*", "/usr/lib/locale/*",
                    "/lib/*.so*", "/lib64/*.so*", "/usr/lib/*.so*", "/usr/lib64/*.so*",
                ),
            ),
        ),
    ),
}  # fmt: skip
"""What each preset stands for."""


def expand(filters: tuple[Filter, ...]) -> tuple[Filter, ...]:
    """The same filters with presets replaced by what they stand for, each with a name."""
    return tuple(each for _, each in expand_placed(filters))


def expand_placed(filters: tuple[Filter, ...]) -> Iterator[tuple[str, Filter]]:
    """The same, with the place in the settings that each comes from."""
    for index, settings in enumerate(filters):
        path, name = f"$.filter[{index}]", filter_name(index, settings)
        if not isinstance(settings, PresetFilter):
            yield path, replace(settings, name=name)
            continue
        if settings.tag != EVERY_TAG:
            hint = "leave the tag out, or write the filter: armorstack config presets"
            raise ConfigError(f"{path}.tag: a preset has its own tag", hint=hint)
        ready = PRESETS[settings.preset]
        # One that was given no name is called after its preset.
        name = settings.name or settings.preset
        for number, each in enumerate(ready, start=1):
            narrowed = _narrowed(f"{path}.select", each.select, settings.select)
            name_here = f"{name}/{number}" if len(ready) > 1 else name
            yield path, replace(each, name=name_here, select=narrowed)


def _narrowed(path: str, ready: Select, more: Select) -> Select:
    """Both selects in one; raises `ConfigError` where they speak of the same key."""
    given = {key: getattr(more, key) for key in more.__struct_fields__ if getattr(more, key)}
    for key in given:
        if getattr(ready, key):
            hint = "write the filter it stands for: armorstack config presets"
            raise ConfigError(f"{path}.{key}: the preset has this key itself", hint=hint)
    return replace(ready, **given)
