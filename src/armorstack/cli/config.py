"""`armorstack config`: help with writing the settings: an example, and what presets stand for."""

import click

from armorstack.cli.spool import AS_JSON, print_json
from armorstack.config import Config, Preset, PresetFilter

ABOUT: dict[Preset, str] = {
    "passed-noise": "Lets go logs of what simply worked (Result Passed). Alerts stay.",
    "default-posture-apart": "Gives alerts of the default posture, which no policy asked for, the"
    " tag kubearmor.alert.posture, for a match or a later filter.",
    "own-traffic": "Lets go network logs of KubeArmor, its relay and whoever reads its feed: with"
    " host visibility, reading events makes events.",
    "known-noisy-paths": "Lets go logs of files that every process opens: below /proc and /sys,"
    " libraries, locales, time zones. Alerts stay.",
}
"""What each preset does, for the person who looks for one."""

EXAMPLES = """\b
Examples:
  armorstack config example > armorstack.toml
  armorstack config presets"""


@click.group("config", epilog=EXAMPLES)
def command() -> None:
    """Help with the settings: example, presets."""


@command.command("example")
def example_file() -> None:
    """Print a settings file with every setting, its default and its meaning.

    It works as it is: one relay on this machine, everything stored.
    """
    from armorstack.config.example import example

    click.echo(example(), nl=False)


@command.command("presets")
@AS_JSON
def presets(as_json: bool) -> None:
    """Tell the ready filters, what they do, and the filters they stand for.

    What is printed can be put into a settings file as it is, and changed there.
    """
    from armorstack.config.show import plain
    from armorstack.config.toml import document
    from armorstack.core.presets import PRESETS, expand

    expanded = {
        name: plain(Config(filter=expand((PresetFilter(preset=name),))), only_changes=True)
        for name in PRESETS
    }
    if as_json:
        print_json({name: {"about": ABOUT[name], **filters} for name, filters in expanded.items()})
        return
    for number, (name, filters) in enumerate(expanded.items()):
        click.echo("\n" * bool(number) + f"# {name}: {ABOUT[name]}")
        click.echo(f'# type = "preset" with preset = "{name}" stands for:')
        click.echo(document(filters), nl=False)
