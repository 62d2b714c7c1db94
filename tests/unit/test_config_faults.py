"""What a person is told whose settings are wrong: what, where, in which line, and the mend."""

import pytest

from armorstack.config import Config, load
from armorstack.config.loading import document
from armorstack.config.origins import Document
from armorstack.config.places import lines_of
from armorstack.errors import ConfigError

RELAY = '[[source]]\ntype = "relay"\naddress = "a:1"\n'


def fault(text: str, environ: dict[str, str] | None = None) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        load(Document("f.toml", text), {}, environ or {})
    return caught.value


WRONG = {
    "one table in place of several": (
        '[web]\n[filter]\ntype = "drop"\n',
        "$.filter: must be a list of tables, not a table (line 2 of f.toml)",
        "write [[filter]], with two brackets on each side: there may be several",
    ),
    "several tables in place of one": (
        "[[spool]]\nmax_bytes = 1\n",
        "$.spool: must be a table, not a list (line 1 of f.toml)",
        "write [spool], with one bracket on each side",
    ),
    "sinks without names": (
        '[[sink]]\ntype = "duckdb"\n',
        "$.sink: must be a table of tables, not a list (line 1 of f.toml)",
        "write [sink.NAME], with a name of your own and one bracket on each side",
    ),
    "a sink without a name": (
        '[sink]\ntype = "duckdb"\n',
        '$.sink.type: must be a table, not "duckdb" (line 2 of f.toml)',
        "a sink has a name, and its settings stand below: [sink.NAME]",
    ),
    "a key of the select beside it": (
        '[[filter]]\ntype = "drop"\nnamespaces = ["x"]\n',
        "$.filter[0].namespaces: no such setting (line 3 of f.toml)",
        "it stands in a table of its own: select = { namespaces = … }",
    ),
    "a word misspelt, in the second filter": (
        '[[filter]]\ntype = "drop"\n\n[[filter]]\ntype = "keep"\nselect.namespcaes = ["x"]\n',
        "$.filter[1].select.namespcaes: no such setting (line 6 of f.toml)",
        "did you mean namespaces?",
    ),
    "a name of another struct is no help": (
        "[web]\nreplacment = 1\n",
        "$.web.replacment: no such setting (line 2 of f.toml)",
        "remove it; settings here are listen, hosts, proxies, tls, series_limit",
    ),
    "a setting of another type": (
        '[[source]]\ntype = "sample"\naddress = "x"\n',
        "$.source[0].address: no such setting (line 3 of f.toml)",
        "types that have it: relay; the type here is sample",
    ),
    "a text for a list": (
        '[[match]]\nsink = "duckdb"\nselect = { pods = "x" }\n',
        "$.match[0].select.pods: must be a list of texts or a table with include and exclude, "
        'not "x" (line 3 of f.toml)',
        'put it into brackets: pods = ["x"]',
    ),
    "an unknown type": (
        '[[source]]\ntype = "fiel"\n',
        '$.source[0].type: there is no type "fiel" (line 2 of f.toml)',
        'did you mean "file"? types are relay, file, stdin, sample',
    ),
    "no type": (
        RELAY + '[[source]]\npath = "x"\n',
        "$.source[1].type: missing (line 4 of f.toml)",
        'write type = "relay"; types are relay, file, stdin, sample',
    ),
    "a type that is no text": (
        "[[source]]\ntype = []\n",
        "$.source[0].type: there is no type a list (line 2 of f.toml)",
        "types are relay, file, stdin, sample",
    ),
    "something missing": (
        '[[source]]\ntype = "file"\n',
        "$.source[0].path: missing; give text (line 1 of f.toml)",
        "The file; it may come into being later.",
    ),
    "a size with a unit": (
        '[spool]\nmax_bytes = "2 GiB"\n',
        '$.spool.max_bytes: must be a whole number of bytes above 0, not "2 GiB" '
        "(line 2 of f.toml)",
        "write max_bytes = 2147483648",
    ),
    "a time with a unit": (
        '[sink.duckdb]\npart_interval_s = "5m"\n',
        '$.sink.duckdb.part_interval_s: must be a number of seconds above 0, not "5m" '
        "(line 2 of f.toml)",
        "write part_interval_s = 300",
    ),
    "too large": (
        "[spool]\nflush_interval_s = 0.2\n",
        "$.spool.flush_interval_s: must be a number of seconds above 0 and at most 0.1, not 0.2 "
        "(line 2 of f.toml)",
        "Longest time a frame waits in memory for its group commit; at most 0.1.",
    ),
    "too small": (
        "[sink.duckdb]\nmax_age_days = -1\n",
        "$.sink.duckdb.max_age_days: must be a number of days of 0 or more, not -1 "
        "(line 2 of f.toml)",
        "Days of events kept, by event time; 0: for ever.",
    ),
    "out of a range": (
        '[[filter]]\ntype = "drop"\n[filter.select.severity]\nmin = 11\n',
        "$.filter[0].select.severity.min: must be a whole number from 1 to 10, not 11 "
        "(line 4 of f.toml)",
        "The lowest that is meant.",
    ),
    "no number at all": (
        "[sink.duckdb]\nmax_age_days = nan\n",
        "$.sink.duckdb.max_age_days: must be a finite number below 2⁶³, not nan (line 2 of f.toml)",
        "",
    ),
    "truth as text": (
        '[[source]]\ntype = "file"\npath = "x"\nfollow = "no"\n',
        '$.source[0].follow: must be true or false, not "no" (line 4 of f.toml)',
        "write follow = false",
    ),
    "a number for a text": (
        "[web]\nlisten = 7780\n",
        "$.web.listen: must be text, not 7780 (line 2 of f.toml)",
        'put it into quotes: listen = "7780"',
    ),
    "nearly one of some": (
        '[spool]\nwhen_full = "drop-oldest"\n',
        '$.spool.when_full: must be one of "block", "drop_oldest", not "drop-oldest" '
        "(line 2 of f.toml)",
        'write when_full = "drop_oldest"',
    ),
    "a number among texts": (
        '[[filter]]\ntype = "set"\nfields = { cluster = 1 }\n',
        "$.filter[0].fields.cluster: must be text, not 1 (line 3 of f.toml)",
        'put it into quotes: cluster = "1"',
    ),
    "a sink that is not there": (
        '[[match]]\nsink = ["duckdb", "chat"]\n',
        "$.match[0].sink: there is no sink 'chat' (line 2 of f.toml)",
        "sinks are: duckdb; add [sink.chat]",
    ),
    "a URL that was cut": (
        '[sink.chat]\ntype = "webhook"\nurl = "https://hooks.example.org/…"\n',
        "$.sink.chat.url: cut short, as `check-config` shows it (line 3 of f.toml)",
        "put the whole URL there, or into a file and its name into url_file",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_setting_is_told_with_place_and_mend(case: str) -> None:
    text, sentence, hint = WRONG[case]
    error = fault(text)
    assert (str(error), error.hint) == (sentence, hint)


NO_TOML = {
    "a = 1\na = 2\n": (2, "this setting stands in the table twice"),
    "[web]\n[log]\n[web]\n": (3, "this table stands in the file twice"),
    '[[filter]]\ntype = "drop"\n[filter]\n': (3, "this table stands in the file twice"),
    "[source]\n[[source]]\n": (2, "this table stands in the file twice"),
    "[log]\nlevel = info\n": (2, "text without quotes"),
    "[log]\nlevel = debug # more\n": (2, "text without quotes"),
    'listen: "x"\n': (1, "a colon where = belongs"),
    "[web]\nlisten = \u201cx\u201d\n": (2, "typographic quotes"),
    "[web]\n\u00a0listen = 1\n": (2, "an invisible character that is no space"),
    '[web]\nlisten = "x\n': (2, "a quote that nothing closes"),
    "[[source]]\nfollow = False\n": (2, "not true or false"),
    'patterns = ["\\d+"]\n': (1, "a backslash inside double quotes has a meaning of its own"),
    "x = [1,\n2\n": (2, "a list that nothing closes, or a comma that is missing"),
    'x = { a = "b",\nc = 1 }\n': (1, "a table in braces that its line does not close"),
    "[web\n": (1, "a table's name that nothing closes"),
    "data_dir\n": (1, "a name without a value"),
    "data_dir =\n": (1, "a name without a value"),
    "x = 1 2\n": (1, "more text behind the value"),
    "@ = 1\n": (1, "neither key = value nor [table]"),
}


@pytest.mark.parametrize("text", NO_TOML)
def test_text_that_is_no_toml_is_told_with_its_line_and_a_mend(text: str) -> None:
    line, what = NO_TOML[text]
    error = fault(text)
    start, _, said = str(error).rpartition(": ")
    assert start.partition(",")[0] == f"f.toml: not TOML: line {line}"
    assert said == what
    assert error.hint


def test_a_line_that_is_no_toml_is_not_repeated() -> None:
    error = fault('url = "https://hooks.example.org/secret" and more\n')
    assert "secret" not in str(error) + error.hint


def test_tabs_windows_line_ends_and_a_byte_order_mark_are_no_faults() -> None:
    content = b'\xef\xbb\xbf\tdata_dir\t=\t"/d"\r\n[web]\r\n\tseries_limit = 7\r\n'
    loaded = load(document("f.toml", content), {}, {})
    assert (loaded.data_dir, loaded.web.series_limit) == ("/d", 7)


def test_another_encoding_is_told_with_its_line() -> None:
    with pytest.raises(ConfigError, match=r"f\.toml: not TOML: line 2: not UTF-8"):
        document("f.toml", b'[web]\nlisten = "\xe9"\n')


def test_nesting_without_end_is_no_fault_of_ours() -> None:
    assert str(fault(f"x = {'[' * 10_000}")) == "f.toml: not TOML: nested too deeply"


def test_a_value_from_a_variable_is_told_by_the_variable_not_by_a_line() -> None:
    text = RELAY.replace("a:1", "b:2")
    environ = {"ARMORSTACK_SOURCE": '[{"type": "relay", "address": "nowhere"}]'}
    assert str(fault(text, environ)) == (
        "$.source[0].address: 'nowhere' is not HOST:PORT (ARMORSTACK_SOURCE)"
    )


def test_a_value_from_an_option_is_told_as_one() -> None:
    with pytest.raises(ConfigError, match=r"\(given as an option of the command\)$"):
        load(Document("f.toml", "[web]\n"), {"web": {"listen": "x"}}, {})


@pytest.mark.parametrize(
    ("value", "sentence", "hint"),
    [
        (
            "4GiB",
            'ARMORSTACK_SPOOL_MAX_BYTES: must be a whole number of bytes above 0, not "4GiB"',
            "write ARMORSTACK_SPOOL_MAX_BYTES=4294967296",
        ),
        (
            "0",
            'ARMORSTACK_SPOOL_MAX_BYTES: must be a whole number of bytes above 0, not "0"',
            "",
        ),
    ],
)
def test_a_wrong_variable_is_told_in_words(value: str, sentence: str, hint: str) -> None:
    error = fault("", {"ARMORSTACK_SPOOL_MAX_BYTES": value})
    assert str(error) == sentence
    assert error.hint == hint


def test_a_list_that_is_no_json_is_told_how_to_write_one() -> None:
    error = fault("", {"ARMORSTACK_FILTER": "drop"})
    assert str(error).startswith("ARMORSTACK_FILTER: not JSON: ")
    assert """'["one", "two"]'""" in error.hint


def test_faults_found_later_get_their_lines_too() -> None:
    def later(config: Config) -> None:
        raise ConfigError("$.filter[0].select.pods[1]: no", hint="mend")

    text = '[[filter]]\ntype = "drop"\nselect.pods = [\n  "a",\n  "b",\n]\n'
    with pytest.raises(ConfigError) as caught:
        load(Document("f.toml", text), {}, {}, also=later)
    assert str(caught.value) == "$.filter[0].select.pods[1]: no (line 5 of f.toml)"
    assert caught.value.hint == "mend"
    assert caught.value.__cause__ is not None


TRICKY = '''\
# [not.a.table]
top = """
] = [ "" \\""" # still text
'quotes' """"" # behind
"quoted.key" = '[x]'
a.b . 'c' = { d = [ [ 1, 2 ], # one
  "]" ], e = {}, "f}" = 1979-05-27 07:32:00 }
[[list]]
x = \'\'\'
[[list]]
\'\'\'
[list.sub]
y = 1
[[list.inner]]
[[list]]
[[list.inner]]
[[list.inner]] # second
z = 2 # the end'''


def test_every_setting_is_found_in_its_line() -> None:
    assert lines_of(TRICKY) == {
        "$.top": 2,
        "$.quoted.key": 5,
        "$.a": 6, "$.a.b": 6, "$.a.b.c": 6, "$.a.b.c.d": 6,
        "$.a.b.c.d[0]": 6, "$.a.b.c.d[0][0]": 6, "$.a.b.c.d[0][1]": 6, "$.a.b.c.d[1]": 7,
        "$.a.b.c.e": 7, "$.a.b.c.f}": 7,
        "$.list": 8, "$.list[0]": 8, "$.list[0].x": 9,
        "$.list[0].sub": 12, "$.list[0].sub.y": 13,
        "$.list[0].inner": 14, "$.list[0].inner[0]": 14,
        "$.list[1]": 15,
        "$.list[1].inner": 16, "$.list[1].inner[0]": 16,
        "$.list[1].inner[1]": 17, "$.list[1].inner[1].z": 18,
    }  # fmt: skip
