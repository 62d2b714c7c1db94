"""`armorstack` and `python -m armorstack`."""

from armorstack.cli.main import cli


def main() -> None:
    """Run the command line; ends the process."""
    cli(prog_name="armorstack")


if __name__ == "__main__":
    main()
