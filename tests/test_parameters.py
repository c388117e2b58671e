"""Somebody writes a comment behind a value, in whatever language, and a tuner can change it."""

import pytest

from autoresearch.errors import ConfigError
from autoresearch.parameters import (
    Kind,
    Parameter,
    declared,
    declared_in_all,
    reachable,
    size,
    spell,
    value_at,
    with_values,
)


def the_one(line: str) -> Parameter:
    found = declared("file", line)
    assert len(found) == 1, line
    return found[0]


# What a user writes: the line, the name in it, the value as it is written, another value.
LANGUAGES = [
    ("LR = 3e-4  # tune: 1e-5..1e-2 log", "LR", "3e-4", "0.002"),
    ("BATCH: int = 64  # tune: 8..256 step 8", "BATCH", "64", "128"),
    ('opt = "adam"  # tune: {adam, sgd}', "opt", "adam", "sgd"),
    ("#define BLOCK 64 // tune: 8..256", "BLOCK", "64", "32"),
    ("float z = 0.3f; /* tune: 0..1 */ go();", "z", "0.3", "0.75"),
    ("let r: f64 = -0.5f64; // tune: -1..1", "r", "-0.5", "0.25"),
    ("x := 3 // tune: 1..5", "x", "3", "4"),
    ("alpha: 0.3  # tune: 0..1", "alpha", "0.3", "0.9"),
    ('  "decay": 0.95,  // tune: 0.8..0.999', "decay", "0.95", "0.9"),
    ("CFLAGS = -O2 -g # tune: {-O1, -O2, -O3}", "CFLAGS", "-O2", "-O3"),
    ("SET work_mem = '64MB'; -- tune: 1..512", "work_mem", "64", "8"),
    ("(setq depth 7) ;; tune: 1..9", "depth", "7", "2"),
    ("p = 0.25 % tune: 0..0.5", "p", "0.25", "0.1"),
    ("Examples: 3 <!-- tune: 0..8 -->", "Examples", "3", "5"),
    ("  gap: 64px; /* tune: 8..128 */", "gap", "64", "16"),
    ("export N=1_000  # tune: 100..10_000 log", "N", "1_000", "250"),
    ("opt = optim.SGD(p)  # tune: {SGD, Adam}", "opt", "SGD", "Adam"),
    ("f(lr=0.1, mom=0.9)  # tune: 0..1", "mom", "0.9", "0.5"),
]


@pytest.mark.parametrize(("line", "name", "written", "other"), LANGUAGES)
def test_a_value_in_any_language_is_found_and_only_it_is_changed(
    line: str, name: str, written: str, other: str
) -> None:
    parameter = the_one(line)
    assert (parameter.name, line[parameter.start : parameter.end]) == (name, written)
    changed = with_values(line, "file", {name: other})
    assert changed == line.replace(written, other, 1)
    assert the_one(changed).value == other


def test_a_value_has_one_spelling_however_it_is_written() -> None:
    for text in ("3e-4", "0.0003", ".0003", "3.0e-04"):
        assert the_one(f"LR = {text}  # tune: 1e-5..1e-2").value == "0.0003"
    assert the_one("N = 1_000  # tune: 1..9999").value == "1000"


def test_whole_bounds_and_a_whole_value_make_an_integer_and_anything_else_a_float() -> None:
    assert the_one("n = 3  # tune: 0..9").kind == Kind.INT
    assert the_one("n = 3.0  # tune: 0..9").kind == Kind.FLOAT
    assert the_one("n = 3  # tune: 0..9.5").kind == Kind.FLOAT
    assert the_one("n = 3  # tune: 0..9 step 0.5").kind == Kind.FLOAT


def test_a_float_stays_a_float_so_that_typed_languages_still_compile() -> None:
    parameter = the_one("let x = 0.5; // tune: 0..1e9")
    assert spell(parameter, 3.0) == "3.0"
    assert spell(parameter, 0.00001234567) == "1.23457e-05"
    assert spell(parameter, 1e-7) == "1.0e-07", "without a point it would be text in YAML"


def test_rounding_never_leaves_the_range() -> None:
    parameter = the_one("x = 0.5  # tune: 0.12345678..0.87654321")
    for bound in (parameter.low, parameter.high):
        assert parameter.low <= float(spell(parameter, bound)) <= parameter.high


def test_everything_else_in_the_file_stays_byte_for_byte() -> None:
    text = "\ufeff# é\r\nA = 1  # tune: 0..9\r\n\tB\t=\t2.50\t# tune: 0..9\r\n\x0c\n\nC = 1"
    changed = with_values(text, "f", {"A": "7", "B": "2.5"})
    assert changed == text.replace("A = 1 ", "A = 7 "), "B is what it was: its spelling stays"


def test_the_value_may_lie_outside_the_range_that_the_user_wants_searched() -> None:
    parameter = the_one("n = 512  # tune: 8..256")
    assert parameter.value == "512"
    assert reachable(parameter, "512") is None
    assert reachable(parameter, "256") == 256


def test_a_minus_is_a_sign_only_where_it_cannot_be_a_subtraction() -> None:
    assert the_one("x = -3  # tune: -9..9").value == "-3"
    assert the_one("x=-3  # tune: -9..9").value == "-3"
    assert the_one("x = 10**-3  # tune: -9..9").value == "-3"
    assert the_one("x = n-3  # tune: 0..9").value == "3"
    assert the_one("x = n - 3  # tune: 0..9").value == "3"


def test_the_longest_choice_is_meant_and_only_as_a_whole_word() -> None:
    assert the_one("o = sgd-momentum  # tune: {sgd, sgd-momentum}").value == "sgd-momentum"
    assert the_one("o = -O  # tune: {-O2, -O}").value == "-O"
    with pytest.raises(ConfigError, match="none of the choices"):
        declared("f", "x = 0.1  # tune: {1, 2}")
    with pytest.raises(ConfigError, match="none of the choices"):
        declared("f", "opt = adamw  # tune: {adam, sgd}")


def test_choices_may_be_quoted_and_hold_commas_and_spaces() -> None:
    parameter = the_one("""flags = "-a -b"  # tune: {"-a -b", 'x, y', z}""")
    assert parameter.choices == ("-a -b", "x, y", "z")


def test_a_number_in_an_earlier_comment_is_not_the_value() -> None:
    assert the_one("LR = 0.1  # 10 times less than before  # tune: 0..1").value == "0.1"
    assert the_one("/* 7 */ x = 0.1; /* 8 */ /* tune: 0..1 */").value == "0.1"


def test_commented_out_code_and_prose_declare_nothing() -> None:
    assert declared("f", "# LR = 0.1  # tune: 0..1") == []
    assert declared("f", "  // int n = 3; // tune: 0..9") == []
    assert declared("prompt.md", "# tune: the piano") == []
    assert declared("f", "The values with a `# tune:` comment are searched.") == []


def test_lines_and_files_that_use_a_name_twice_are_told_apart() -> None:
    one = "LR = 1  # tune: 0..9\nLR = 2  # tune: 0..9\nA = 3  # tune: 0..9\n"
    two = "LR = 4  # tune: 0..9\n"
    names = [parameter.name for parameter in declared_in_all({"one.py": one, "two.py": two})]
    assert names == ["one.py:LR", "LR#2", "A", "two.py:LR"]
    values = {"one.py:LR": "5", "LR#2": "6", "A": "7", "two.py:LR": "8"}
    assert with_values(one, "one.py", values) == (
        "LR = 5  # tune: 0..9\nLR = 6  # tune: 0..9\nA = 7  # tune: 0..9\n"
    )
    assert with_values(two, "two.py", values) == "LR = 8  # tune: 0..9\n"


def test_a_space_that_can_be_counted_lists_its_values() -> None:
    def values(line: str) -> list[str]:
        parameter = the_one(line)
        return [value_at(parameter, index) for index in range(size(parameter) or 0)]

    assert values("n = 8  # tune: 8..30 step 8") == ["8", "16", "24"]
    assert values("x = 0.1  # tune: 0.1..0.5 step 0.1") == ["0.1", "0.2", "0.3", "0.4", "0.5"]
    assert values("o = a  # tune: {a, b}") == ["a", "b"]
    assert size(the_one("x = 0.1  # tune: 0..1")) is None


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("x = 3  # tune: 5..1", "first bound must be below"),
        ("x = 3  # tune: 1..1", "first bound must be below"),
        ("x = 3.0  # tune: 0..1e999", "first bound must be below"),
        ("x = 3  # tune: 0..9 log", "log needs bounds above zero"),
        ("x = 3  # tune: 1..9 log step 2", "cannot go together"),
        ("x = 3  # tune: 1..9 logg", "'logg' is not an option"),
        ("x = 3  # tune: 1..9 step 0", "step must be above zero"),
        ("x = 3  # tune: 1..9 step 10", "step must be above zero"),
        ("x = 0xFF  # tune: 0..255", "no plain decimal number"),
        ("x = 1.2.3  # tune: 0..9", "no plain decimal number"),
        ("x = y  # tune: 0..9", "no number before the comment"),
        ("# tune: 0..9", "no value before the comment"),
        ("x = 3  # tune: 0-9", "neither a range nor choices"),
        ("x = 3  # tune: later", "neither a range nor choices"),
        ("x = a  # tune: {a, b", "need a `}`"),
        ("x = a  # tune: {a}", "two choices or more"),
        ("x = a  # tune: {a, a}", "two choices or more"),
        ("x = a  # tune: {a, , b}", "two choices or more"),
    ],
)
def test_a_mistake_is_named_with_its_file_and_line(line: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason) as caught:
        declared("src/train.py", f"import os\n{line}\n")
    assert str(caught.value).startswith("src/train.py:2: ")
