"""ATT&CK references in tags: every one is found, in each way that people write them."""

import pytest

from armorstack.core.mitre import TACTICS, Attack, find_attack, name_from_tag

CASES: dict[str, tuple[list[str], Attack]] = {
    "technique with a name": (
        ["MITRE_T1552_unsecured_credentials"],
        Attack(True, technique_ids=("T1552",), technique_names=("Unsecured Credentials",)),
    ),
    "technique without a name": (["MITRE_T1105"], Attack(True, technique_ids=("T1105",))),
    "technique as a tag beside MITRE, as recorded": (
        ["MITRE", "T1105"],
        Attack(True, technique_ids=("T1105",)),
    ),
    "technique alone": (["T1059"], Attack(True, technique_ids=("T1059",))),
    "hyphen and small letters": (
        ["mitre-t1021-remote-services"],
        Attack(True, technique_ids=("T1021",), technique_names=("Remote Services",)),
    ),
    "sub-technique names its technique": (
        ["MITRE_T1059.004_unix_shell"],
        Attack(
            True,
            technique_ids=("T1059",),
            subtechnique_ids=("T1059.004",),
            subtechnique_names=("Unix Shell",),
        ),
    ),
    "sub-techniques of one technique": (
        ["MITRE_T1562.001", "MITRE_T1562.004", "MITRE_T1562_impair_defenses"],
        Attack(
            True,
            technique_ids=("T1562",),
            technique_names=("Impair Defenses",),
            subtechnique_ids=("T1562.001", "T1562.004"),
        ),
    ),
    "tactic by id has our name": (
        ["MITRE_TA0011_c2"],
        Attack(True, ("TA0011",), ("Command and Control",)),
    ),
    "tactic that is not in our table has the tag's name": (
        ["MITRE_TA0999_new_tactic"],
        Attack(True, ("TA0999",), ("New Tactic",)),
    ),
    "tactic by word": (["MITRE_execution"], Attack(True, ("TA0002",), ("Execution",))),
    "tactic by words": (
        ["MITRE-Lateral-Movement"],
        Attack(True, ("TA0008",), ("Lateral Movement",)),
    ),
    "tactic by word beside MITRE": (
        ["MITRE", "credential_access"],
        Attack(True, ("TA0006",), ("Credential Access",)),
    ),
    "a tactic's word without MITRE is a word": (["discovery", "impact"], Attack()),
    "MITRE alone": (["MITRE"], Attack(True)),
    "all of them, each once": (
        ["MITRE_T1105_a", "MITRE_TA0001", "MITRE_T1105_b", "MITRE_initial_access", "MITRE_T1528"],
        Attack(True, ("TA0001",), ("Initial Access",), ("T1105", "T1528"), ("A",)),
    ),
    "others' tags": (["NIST_800-53_SI-4(18)", "PCI_DSS", "CIS", "FGT1046"], Attack()),
    "too many digits": (["MITRE_T15520", "T15520", "MITRE_TA00011"], Attack()),
    "too few digits": (["MITRE_T155_x", "T1"], Attack()),
    "digits of another script": (["MITRE_T\u0661552", "T\u0661552"], Attack()),
    "nothing": ([], Attack()),
}


@pytest.mark.parametrize(("tags", "attack"), CASES.values(), ids=CASES)
def test_the_references_are_found(tags: list[str], attack: Attack) -> None:
    assert find_attack(tags) == attack


@pytest.mark.parametrize(("id_", "name"), TACTICS.items())
def test_every_tactic_is_known_by_id_and_by_word(id_: str, name: str) -> None:
    expected = Attack(True, (id_,), (name,))
    assert find_attack([f"MITRE_{id_}_whatever"]) == expected
    assert find_attack([f"MITRE_{name.lower().replace(' ', '_')}"]) == expected
    assert find_attack([f"mitre-{name.upper().replace(' ', '-')}"]) == expected


def test_there_are_fourteen_tactics() -> None:
    assert len(TACTICS) == len(set(TACTICS.values())) == 14


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("command_and_scripting_interpreter", "Command and Scripting Interpreter"),
        ("the_end", "The End"),
        ("OS_credential-dumping", "OS Credential Dumping"),
        ("data from local system", "Data from Local System"),
        ("__", ""),
        ("<b>x</b>", "<b>x</b>"),
    ],
)
def test_words_of_a_tag_become_a_name(words: str, name: str) -> None:
    assert name_from_tag(words) == name
