"""What a user writes into config.toml is taken exactly, or refused with the key and the way out."""

import math

import pytest

from autoresearch import config
from autoresearch.errors import ConfigError

WHOLE = """
goal = "cut the latency"
target = ["src/handler.py", "./lib/**"]
frozen = ["tests/**"]
link = ["./data", ".venv/"]
keep = ["build/"]
share_machine = true
directory = "service"

[evaluate]
command = "python bench.py"
metric = "p50_ms"
direction = "higher"
pattern = 'p50 (\\d+)'
time_budget = "90s"
stop_after = 3
prepare = "npm ci"
network = true
strict_metric = true

[[checks]]
command = "pytest -q"

[judge]
rule = "greedy"

[proposer]
use = "command"
command = "./propose.sh"
time_limit = "1h30m"
fix_attempts = 0

[limits]
max_experiments = 50
max_time = "8h"
max_cost_usd = 2.5
patience = 10
until = 3
"""


def load(tmp_path, content: str | bytes) -> config.Config:
    path = tmp_path / "config.toml"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return config.load(path)


def refusal(tmp_path, content: str | bytes) -> str:
    """What the user is told, which always names the file."""
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, content)
    assert str(tmp_path / "config.toml") in str(caught.value)
    assert len(str(caught.value)) < 500
    return str(caught.value)


def test_every_key_of_this_version_is_taken(tmp_path):
    found = load(tmp_path, WHOLE)
    assert found.target == ("src/handler.py", "lib/**")
    assert found.link == ("data", ".venv/")
    assert found.evaluate.direction == "higher"
    assert found.evaluate.time_budget == 90
    assert found.evaluate.hard_limit == 270
    assert found.checks[0].command == "pytest -q"
    assert found.proposer.time_limit == 5400
    assert found.limits.max_time == 8 * 3600
    assert found.limits.until == 3.0
    assert found.missing() == []


def test_an_empty_config_says_what_is_to_be_filled_in(tmp_path):
    assert load(tmp_path, "").missing() == ["target", "evaluate.command", "evaluate.metric"]
    half = 'target = ["a"]\n[evaluate]\ncommand = "  "\nmetric = "m"'
    assert load(tmp_path, half).missing() == ["evaluate.command"]


# Files that are no config


def test_a_file_that_is_not_there_names_the_command_that_makes_it(tmp_path):
    with pytest.raises(ConfigError, match="autoresearch setup"):
        config.load(tmp_path / "config.toml")


def test_a_directory_in_its_place_is_said_and_no_traceback(tmp_path):
    (tmp_path / "config.toml").mkdir()
    with pytest.raises(ConfigError, match="cannot be read"):
        config.load(tmp_path / "config.toml")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('goal = "a\n', "line 1"),
        ("goal = a", "line 1"),
        ('goal = "a"\ngoal = "b"\n\n', "line 2"),
        ("[evaluate]\n[evaluate]", "line 2"),
        ("[limits]\nmax_experiments = " + "9" * 5000, "not valid TOML"),
        ('goal = "a\0"', "not valid TOML"),
        (b'goal = "caf\xe9"', "not UTF-8"),
        ("goal = 'x'".encode("utf-16"), "not UTF-8"),
    ],
    ids=["open", "bare", "twice", "table twice", "digits", "raw nul", "latin-1", "utf-16"],
)
def test_text_that_is_no_toml_names_the_place(tmp_path, content, said):
    assert said in refusal(tmp_path, content)


def test_the_mark_that_some_editors_write_first_is_no_error(tmp_path):
    assert load(tmp_path, b'\xef\xbb\xbfgoal = "a"').goal == "a"


# Keys


@pytest.mark.parametrize(
    ("content", "key", "meant"),
    [
        ('targets = ["a"]', "targets", "target"),
        ("[evalute]\ncommand = 'x'", "evalute", "evaluate"),
        ("[evaluate]\nmetrics = 'x'", "evaluate.metrics", "metric"),
        ("[evaluate]\ntimebudget = 5", "evaluate.timebudget", "time_budget"),
        ("[limits]\nmax_experiment = 5", "limits.max_experiment", "max_experiments"),
        ("[proposer]\ncomand = 'x'", "proposer.comand", "command"),
        ("[[checks]]\ncomand = 'x'", "checks.0.comand", "command"),
        ("float = 1", "float", "evaluate"),
    ],
)
def test_a_misspelt_key_names_the_nearest_one(tmp_path, content, key, meant):
    said = refusal(tmp_path, content)
    assert f"there is no key `{key}`. Did you mean `{meant}`?" in said


def test_a_key_that_resembles_nothing_is_refused_without_a_guess(tmp_path):
    said = refusal(tmp_path, "[evaluate]\nxqzw = 1")
    assert said.endswith("there is no key `evaluate.xqzw`.")


@pytest.mark.parametrize(
    ("content", "key", "reason"),
    [
        ("[[guards]]\nmetric = 'm'", "guards", "use a check"),
        ("[sandbox]\nmode = 'required'", "sandbox", "isolation `none`"),
        ("[hooks]\non_stop = 'x'", "hooks", "not part of this version"),
        ("[evaluate]\npass_env = ['KEY']", "evaluate.pass_env", "whole environment"),
        ("[evaluate]\nscore = 'x'", "evaluate.score", "separated scoring"),
        ("[evaluate]\nholdout = 'x'", "evaluate.holdout", "hold-out"),
    ],
)
def test_a_protection_that_does_not_exist_yet_is_refused_by_name(tmp_path, content, key, reason):
    said = refusal(tmp_path, content)
    assert f"`{key}` cannot be used yet" in said
    assert reason in said


@pytest.mark.parametrize("rule", ["confirm", "bold", "strict"])
def test_a_rule_of_later_says_so(tmp_path, rule):
    assert f"must be greedy, not '{rule}'" in refusal(tmp_path, f'[judge]\nrule = "{rule}"')


# Values


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("goal = 5", "`goal` must be text in quotes (it is 5)"),
        ('target = "a.py"', "`target` must be a list"),
        ("target = [5]", "`target.0` must be text"),
        ("evaluate = 5", "`evaluate` must be a table"),
        ("checks = 'pytest'", "`checks` must be a list"),
        ("[[checks]]", "`checks.0.command` is missing"),
        ("[[checks]]\ncommand = ''", "`checks.0.command`"),
        ("share_machine = 1", "`share_machine` must be true or false"),
        ("[evaluate]\nnetwork = 'no'", "`evaluate.network` must be true or false"),
        ("[evaluate]\nstop_after = true", "`evaluate.stop_after` must be a number"),
        ("[evaluate]\nstop_after = '3'", "`evaluate.stop_after` must be a number"),
        ("[evaluate]\nstop_after = 0.5", "`evaluate.stop_after`"),
        ("[evaluate]\nstop_after = nan", "`evaluate.stop_after`"),
        ("[evaluate]\nstop_after = inf", "`evaluate.stop_after`"),
        ("[limits]\nmax_experiments = true", "`limits.max_experiments` must be a whole number"),
        ("[limits]\nmax_experiments = 2.5", "`limits.max_experiments` must be a whole number"),
        ("[limits]\nmax_experiments = -1", "`limits.max_experiments`"),
        ("[limits]\npatience = -1", "`limits.patience`"),
        ("[limits]\nmax_cost_usd = -1", "`limits.max_cost_usd`"),
        ("[limits]\nmax_cost_usd = nan", "`limits.max_cost_usd`"),
        ("[limits]\nmax_cost_usd = true", "`limits.max_cost_usd` must be a number"),
        ("[limits]\nuntil = true", "`limits.until` must be a number"),
        ("[limits]\nuntil = 'low'", "`limits.until` must be a number"),
        ("[limits]\nuntil = nan", "`limits.until` must be a finite number"),
        ("[limits]\nuntil = inf", "`limits.until` must be a finite number"),
        ("[proposer]\nfix_attempts = -1", "`proposer.fix_attempts`"),
        ("[proposer]\nuse = false", "`proposer.use` must be text"),
        ("[evaluate]\npattern = '('", "`evaluate.pattern` is not a regular expression"),
        ("[evaluate]\npattern = 'a'", "`evaluate.pattern` must have exactly one group"),
        ("[evaluate]\npattern = '(a)(b)'", "`evaluate.pattern` must have exactly one group"),
    ],
)
def test_a_value_of_the_wrong_kind_names_the_key_and_what_it_may_be(tmp_path, content, said):
    assert said in refusal(tmp_path, content)


@pytest.mark.parametrize(
    "budget",
    [
        "0",
        "-5",
        "-0.5",
        "nan",
        "inf",
        "-inf",
        "true",
        "[5]",
        '""',
        '"0s"',
        '"-5m"',
        '"5 minutes"',
        '"5x"',
        '"inf"',
        '"nan"',
        '"5m!"',
        '"m"',
        '"٥m"',
        "1" + "0" * 400,
    ],
)
@pytest.mark.parametrize("key", ["[evaluate]\ntime_budget", "[proposer]\ntime_limit"])
def test_a_budget_that_is_no_time_is_refused(tmp_path, key, budget):
    assert key.partition("\n")[2] in refusal(tmp_path, f"{key} = {budget}")


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("5", 300),
        ("0.5", 30),
        ('"5"', 300),
        ('"1.5"', 90),
        ('"90s"', 90),
        ('"5m"', 300),
        ('"1h30m"', 5400),
        ('"1h 30m"', 5400),
        ('" 2d "', 172800),
        ('".5h"', 1800),
    ],
)
def test_a_duration_can_be_written_in_the_usual_ways(tmp_path, written, seconds):
    assert load(tmp_path, f"[evaluate]\ntime_budget = {written}").evaluate.time_budget == seconds


@pytest.mark.parametrize("nothing", ['""', "0", '"0"'])
def test_no_limit_of_time_is_written_as_nothing_or_zero(tmp_path, nothing):
    assert load(tmp_path, f"[limits]\nmax_time = {nothing}").limits.max_time == 0


@pytest.mark.parametrize("limit", ["-1", "nan", "inf", "true", '"soon"'])
def test_a_limit_of_time_that_is_none_is_refused(tmp_path, limit):
    assert "limits.max_time" in refusal(tmp_path, f"[limits]\nmax_time = {limit}")


@pytest.mark.parametrize(
    ("written", "direction"),
    [
        ('"lower"', "lower"),
        ('" higher "', "higher"),
        ("0", 0.0),
        ("-3", -3.0),
        ("0.25", 0.25),
        ('"0.25"', 0.25),
        ('"-1e3"', -1000.0),
    ],
)
def test_a_direction_is_lower_higher_or_a_number(tmp_path, written, direction):
    found = load(tmp_path, f"[evaluate]\ndirection = {written}").evaluate.direction
    assert (found, type(found)) == (direction, type(direction))


@pytest.mark.parametrize(
    "written",
    [
        '""',
        '"up"',
        '"Lower"',
        "true",
        "nan",
        "inf",
        '"nan"',
        '"1_0"',
        '"٣"',
        "[1]",
        "1" + "0" * 400,
    ],
)
def test_any_other_direction_is_refused(tmp_path, written):
    said = refusal(tmp_path, f"[evaluate]\ndirection = {written}")
    assert "`evaluate.direction` must be lower, higher, or a number" in said


@pytest.mark.parametrize("key", ["target", "frozen", "link", "keep"])
@pytest.mark.parametrize("path", ["/etc/passwd", "../other", "src/../../x", "..", "src/.."])
def test_a_path_out_of_the_repository_is_refused(tmp_path, key, path):
    assert "inside the repository" in refusal(tmp_path, f'{key} = ["{path}"]')


def test_a_directory_out_of_the_repository_is_refused(tmp_path):
    assert "`directory`" in refusal(tmp_path, 'directory = "../x"')


@pytest.mark.parametrize("key", ["target", "frozen", "link", "keep"])
def test_an_empty_path_does_not_mean_everything(tmp_path, key):
    assert "must not be empty" in refusal(tmp_path, f'{key} = [""]')


def test_two_dots_in_a_name_are_no_way_out(tmp_path):
    assert load(tmp_path, 'target = ["a..b", "..c/d"]').target == ("a..b", "..c/d")


def test_the_whole_repository_can_be_written_in_two_ways(tmp_path):
    assert load(tmp_path, 'target = [".", "./"]').target == (".", ".")


@pytest.mark.parametrize(
    "content",
    [
        'goal = "a\\u0000"',
        'target = ["a\\u0000"]',
        '[evaluate]\ncommand = "a\\u0000"',
        '[evaluate]\nmetric = "a\\u0000"',
        '[[checks]]\ncommand = "a\\u0000"',
        '[proposer]\ncommand = "a\\u0000"',
    ],
)
def test_a_nul_character_is_refused_before_a_system_call_does(tmp_path, content):
    assert "NUL" in refusal(tmp_path, content)


# What can be compared with what


def fingerprint(tmp_path, old: str = "", new: str = "") -> str:
    assert old in WHOLE
    return config.digest(load(tmp_path, WHOLE.replace(old, new)).measuring())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('command = "python bench.py"', 'command = "python bench.py --fast"'),
        ('metric = "p50_ms"', 'metric = "p99_ms"'),
        ('direction = "higher"', 'direction = "lower"'),
        ('direction = "higher"', "direction = 3"),
        ("pattern = 'p50 (\\d+)'", "pattern = 'p99 (\\d+)'"),
        ('time_budget = "90s"', 'time_budget = "91s"'),
        ("stop_after = 3", "stop_after = 4"),
        ('prepare = "npm ci"', 'prepare = ""'),
        ("strict_metric = true", "strict_metric = false"),
        ('command = "pytest -q"', 'command = "pytest"'),
        ('frozen = ["tests/**"]', "frozen = []"),
        ('link = ["./data", ".venv/"]', 'link = ["./data"]'),
        ('directory = "service"', 'directory = ""'),
    ],
)
def test_numbers_from_before_a_change_of_what_measures_are_not_compared(tmp_path, old, new):
    assert fingerprint(tmp_path, old, new) != fingerprint(tmp_path)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("", ""),
        ('goal = "cut the latency"', 'goal = "another"'),
        ('"src/handler.py", ', ""),
        ('use = "command"', 'use = "manual"'),
        ('command = "./propose.sh"', 'command = ""'),
        ('time_limit = "1h30m"', 'time_limit = "2h"'),
        ("max_experiments = 50", "max_experiments = 0"),
        ('max_time = "8h"', 'max_time = ""'),
        ("until = 3", "until = 2"),
        ("share_machine = true", "share_machine = false"),
        ("network = true", "network = false"),
        ('time_budget = "90s"', "time_budget = 1.5"),
        ('link = ["./data", ".venv/"]', 'link = [".venv/", "data"]'),
        ("\n[judge]", "# a remark\n[judge]"),
    ],
)
def test_a_change_of_anything_else_measures_nothing_again(tmp_path, old, new):
    assert fingerprint(tmp_path, old, new) == fingerprint(tmp_path)


@pytest.mark.parametrize("wrong", [None, True, [], "8 hours", "-1", -1, math.nan])
def test_a_duration_on_the_command_line_is_read_as_in_the_file(wrong):
    assert config.parse_duration("8h") == 28800
    with pytest.raises(ValueError, match="duration"):
        config.parse_duration(wrong)
