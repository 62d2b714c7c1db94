"""`armorstack setup` without an engine: what it refuses, and the roles."""

import json

from click.testing import CliRunner

from armorstack.cli.main import cli

RIGHTS = {
    "elasticsearch": ("indices", "names", "privileges", "/_security/role/"),
    "opensearch": (
        "index_permissions", "index_patterns", "allowed_actions", "/_plugins/_security/api/roles/",
    ),
}  # fmt: skip


def printed_roles(*flags: str) -> dict:  # type: ignore[type-arg]
    result = CliRunner().invoke(cli, ["setup", "--print-roles", *flags])
    assert result.exit_code == 0, result.output
    return json.loads(result.output)  # type: ignore[no-any-return]


def test_roles_of_both_engines_are_printed_without_asking_any() -> None:
    found = printed_roles("--engine", "http://127.0.0.1:1")
    assert {name: len(roles) for name, roles in found.items()} == {
        "elasticsearch": 4, "opensearch": 4,
    }  # fmt: skip


def test_no_role_reaches_beyond_our_own_indices() -> None:
    for name, roles in printed_roles().items():
        member, patterns, _, path = RIGHTS[name]
        for role in roles:
            assert role["path"] == path + role["name"]
            for rights in role["body"][member]:
                assert rights[patterns] == [
                    "kubearmor-alerts-*", "kubearmor-logs-*", "kubearmor-messages-*",
                    "kubearmor-gaps-*", "kubearmor-policies",
                ]  # fmt: skip


def test_the_writer_can_neither_read_nor_delete() -> None:
    for name, roles in printed_roles().items():
        member, _, allowed, _ = RIGHTS[name]
        writer = next(role for role in roles if role["name"] == "kubearmor_writer")
        for right in writer["body"][member][0][allowed]:
            assert not any(word in right for word in ("read", "delete", "all", "manage")), right


def test_without_an_engine_in_the_settings_it_says_so_and_exits_2() -> None:
    result = CliRunner().invoke(cli, ["setup"])
    assert result.exit_code == 2
    assert "--engine URL" in result.output


def test_an_engine_that_does_not_answer_is_one_sentence() -> None:
    result = CliRunner().invoke(cli, ["setup", "--engine", "http://127.0.0.1:1", "--dry-run"])
    assert result.exit_code == 1
    assert result.output.startswith("armorstack: http://127.0.0.1:1 cannot be reached")
