"""docs/fields.md says what the tables say."""

from pathlib import Path

from armorstack.core.ecs import ECS_TYPES
from armorstack.core.field_reference import render
from armorstack.core.fields import FIELDS

PAGE = Path(__file__).parents[2] / "docs" / "fields.md"


def test_the_page_is_what_the_tables_give() -> None:
    assert PAGE.read_text() == render(), "run scripts/docs"


def test_every_field_and_every_path_is_on_the_page() -> None:
    page = render()
    for name in (*(field.name for field in FIELDS), *ECS_TYPES):
        assert f"`{name}`" in page


def test_every_line_of_a_table_has_the_columns_of_its_head() -> None:
    widths = None
    for line in render().splitlines():
        cells = line.replace("\\|", "").count("|") if line.startswith("|") else None
        assert cells is None or widths is None or cells == widths, line
        widths = cells
