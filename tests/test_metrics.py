"""What is read as a number decides what is kept: nothing may be read that was not printed."""

import time

import pytest

from autoresearch import metrics


def value_of(text: str, **options) -> float | None:
    return metrics.read(text, "loss", **options).value


@pytest.mark.parametrize(
    ("printed", "value"),
    [
        ("loss: 0.25", 0.25),
        ("loss=0.25", 0.25),
        ("loss = 0.25", 0.25),
        ("loss :0.25", 0.25),
        ("  \tloss: 0.25 \t", 0.25),
        ("metric: loss=0.25", 0.25),
        ("metric:loss: 0.25", 0.25),
        ("METRIC: loss: 0.25", 0.25),
        ("loss: 7", 7.0),
        ("loss: +7", 7.0),
        ("loss: -7.", -7.0),
        ("loss: .5", 0.5),
        ("loss: 1e-3", 0.001),
        ("loss: 1.5E+3", 1500.0),
        ("loss: 1e-400", 0.0),
        ("loss: 0", 0.0),
    ],
)
def test_a_number_on_a_line_of_its_own_is_read(printed, value):
    assert value_of(f"epoch 3\n{printed}\ndone\n") == value


@pytest.mark.parametrize(
    "unit",
    ["ms", " ms", "\tms", "%", " %", "MB/s", " m/s^2", " kg*m^-1", "µs", "°C", "x", " req/s"],
)
def test_a_unit_behind_the_number_does_no_harm(unit):
    assert value_of(f"loss: 12.5{unit}\n") == 12.5


@pytest.mark.parametrize(
    "printed",
    [
        "nan",
        "NaN",
        "-nan",
        "nanms",
        "nan ms",
        "inf",
        "-inf",
        "Infinity",
        "1e400",
        "-1e999 ms",
        "1_000",
        "١٢",
        "１２",
        "12٫5",
        "−5",
        "0x10",
        "0b1",
        "1m30s",
        "1,234.5",
        "1.234,5",
        "1.2.3",
        "5;",
        "5,",
        "$5",
        "~5",
        "1e-",
        "5-3",
        "2023-11-05",
    ],
)
def test_what_only_looks_like_a_number_is_never_a_value(printed):
    reading = metrics.read(f"loss: 3\nloss: {printed}\n", "loss")
    assert reading.value is None, "the earlier 3 must not stand in for it"
    assert "loss was printed as" in reading.reason
    assert reading.metrics.get("loss") in (None, 3.0)


@pytest.mark.parametrize(
    "line",
    [
        "loss: 12 (prev: 99)",
        "loss: 12 | acc: 3",
        "loss: 12 # best so far",
        "loss: 1 000",
        "loss: 5 m2",
        "the loss: 12",
        "val_loss: 12",
        "loss_ema: 12",
        "Loss: 12",
        "LOSS: 12",
        "loss@10: 12",
        "loss@10=12",
        "loss 12",
        "loss:\n12",
        "loss: none",
        "loss: -",
        "- loss: 12",
        "loss:: 12 12",
    ],
)
def test_a_line_that_says_something_else_is_not_read(line):
    assert value_of(f"{line}\n") is None


def test_the_reason_shows_the_line_that_was_probably_meant():
    reading = metrics.read("Loss: 12 (prev: 99)\n", "loss")
    assert "`loss: NUMBER`" in reading.reason
    assert "'Loss: 12 (prev: 99)'" in reading.reason
    assert metrics.read("hello\n", "loss").reason.startswith("loss was not printed: a line")


def test_a_metric_whose_name_is_another_ones_unit_is_not_found_in_it():
    assert metrics.read("MS: 5 ms\n", "ms").value is None


def test_the_last_value_wins():
    assert value_of("loss: 3\nloss: 2\nloss: 4\n") == 4.0
    assert value_of("loss: nan\nloss: 2\n") == 2.0, "a warm-up that diverged does not count"


def test_two_different_values_are_refused_where_the_user_wants_to_know():
    assert value_of("loss: 3\nloss: 3.0\n", strict=True) == 3.0
    reading = metrics.read("loss: 0.1\nloss: 3\n", "loss", strict=True)
    assert (reading.value, reading.reason) == (None, "loss was printed with different values")
    assert value_of("loss: nan\nloss: 3\n", strict=True) is None


def test_minus_zero_is_read_as_a_zero():
    assert value_of("loss: -0.0\n") == 0.0


@pytest.mark.parametrize(
    "text",
    [
        "loss: 3\r\nloss: 2\r\n",
        "loss: 3\rloss: 2",
        "[=>  ] 10%\r[===>] 100%\rloss: 2\r\n",
        "loss: 2",
        "\x1b[1;32mloss: 2\x1b[0m\n",
        "loss: \x1b[38:5:208m2\x1b[m\n",
        "\x1b]8;;https://example.org\x1b\\loss: 2\x1b]8;;\x1b\\\n",
        "\x1b[2K\x1b[1Gloss: 2\n",
        "\x00\x01\nloss: 2\n\\xff\\xfe",
    ],
    ids=[
        "crlf",
        "cr",
        "progress",
        "no line end",
        "colour",
        "256 colours",
        "link",
        "erase",
        "bytes",
    ],
)
def test_line_ends_of_other_systems_and_terminal_escapes_hide_no_number(text):
    assert value_of(text) == 2.0


def test_all_other_numbers_are_kept_beside_the_metric():
    text = "loss: 2\nacc: 0.9\nval/acc%: 91 %\nbad: nan\nloss: 1\nstep@3: 7\nGPU.mem-peak: 80MB\n"
    reading = metrics.read(text, "loss")
    assert reading.metrics == {"loss": 1.0, "acc": 0.9, "val/acc%": 91.0, "GPU.mem-peak": 80.0}


def test_a_log_full_of_names_does_not_fill_the_record():
    text = "".join(f"m{number}: {number}\n" for number in range(5000)) + "loss: 1\n"
    reading = metrics.read(text, "loss")
    assert reading.value == reading.metrics["loss"] == 1.0
    assert len(reading.metrics) <= 101
    table = "{" + ",".join(f'"j{number}": 1' for number in range(5000)) + ', "loss": 2}'
    reading = metrics.read(text, "loss", file=table)
    assert reading.value == reading.metrics["loss"] == 2.0
    assert len(reading.metrics) <= 101


def test_a_metric_may_have_any_name():
    assert metrics.read("val loss (mean): 3\n", "val loss (mean)").value == 3.0
    assert metrics.read("p50.ms: 3\n", "p50.ms").value == 3.0
    assert metrics.read("p50xms: 3\n", "p50.ms").value is None
    assert metrics.read("metric: 3\n", "metric").value == 3.0


# A pattern of the user's own


def test_a_pattern_finds_the_number_elsewhere():
    text = "Best loss so far: 12 (prev: 99)\nBest loss so far: 11 (prev: 12)\n"
    assert value_of(text, pattern=r"^Best loss so far: (\S+)") == 11.0
    assert metrics.read(text, "loss", pattern=r"far: (\S+)").metrics == {"loss": 11.0}


@pytest.mark.parametrize("printed", ["nan", "1_000", "12ms", "", "0x1"])
def test_what_a_pattern_finds_must_be_a_plain_number(printed):
    reading = metrics.read(f"took [{printed}]\n", "loss", pattern=r"took \[(.*)\]")
    assert reading.value is None
    assert "not a plain number" in reading.reason


def test_a_pattern_that_finds_nothing_says_so():
    reading = metrics.read("loss: 3\n", "loss", pattern=r"took (\d+)")
    assert reading.value is None
    assert "took" in reading.reason
    assert metrics.read("took\n", "loss", pattern=r"took(x)?").value is None


# The file $AUTORESEARCH_METRICS


def test_the_metrics_file_wins_over_the_output():
    reading = metrics.read("loss: 3\nacc: 1\n", "loss", file='{"loss": 2, "acc": 0.5}')
    assert reading.value == 2.0
    assert reading.metrics == {"loss": 2.0, "acc": 0.5}


def test_a_metrics_file_without_the_metric_leaves_it_to_the_output():
    reading = metrics.read("loss: 3\nf1: 9\n", "loss", file='{"f1": 0.5}')
    assert reading.value == 3.0
    assert reading.metrics == {"loss": 3.0, "f1": 0.5}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "not valid JSON"),
        ('{"loss": 2', "not valid JSON"),
        ("[" * 100_000, "nested too deeply"),
        ("[1]", "one JSON object"),
        ("3", "one JSON object"),
        ('{"loss": NaN}', "NaN"),
        ('{"loss": -Infinity}', "-Infinity"),
        ('{"loss": 1e400}', "too large"),
        ('{"loss": ' + "9" * 400 + "}", "too large"),
        ('{"loss": ' + "9" * 5000 + "}", "digits"),
        ('{"loss": "2"}', "not a number"),
        ('{"loss": true}', "not a number"),
        ('{"loss": null}', "not a number"),
        ('{"loss": {"value": 2}}', "not a number"),
        ('{"acc": "high", "loss": 2}', "not a number"),
        ('{"loss\\ud800": 2}', "cannot be the name"),
        ('{"a\\tb": 2}', "cannot be the name"),
        ('{"a\\nloss: 1": 2}', "cannot be the name"),
        ('{"' + "a" * 1000 + '": 2}', "cannot be the name"),
    ],
    ids=lambda text: text[:20],
)
def test_a_broken_metrics_file_is_said_and_nothing_else_is_read_instead(content, reason):
    reading = metrics.read("loss: 3\n", "loss", file=content)
    assert reading.value is None
    assert reading.reason.startswith("$AUTORESEARCH_METRICS: ")
    assert reason in reading.reason
    assert len(reading.reason) < 300


# Output that nobody expects


@pytest.mark.parametrize(
    "text",
    [
        "loss: " + "1" * 1_000_000 + " a b\n",
        "loss: " + "1 " * 500_000 + "\n",
        "loss: 1" + " " * 1_000_000 + "!\n",
        "loss: 1" + "a-" * 500_000 + "!\n",
        "loss: 1" + "^1" * 500_000 + "!\n",
        "loss" * 250_000 + "\n",
        "metric: " * 125_000 + "\n",
        "\n" * 1_000_000,
        "\x1b]" * 500_000 + "\n",
        "\x1b[" + "0;" * 500_000 + "\n",
    ],
    ids=["digits", "pairs", "spaces", "unit", "powers", "name", "prefix", "empty", "osc", "csi"],
)
def test_output_made_to_be_slow_to_read_does_not_stop_the_loop(text):
    started = time.monotonic()
    assert value_of(text) is None
    assert time.monotonic() - started < 20, "the square of its length would be hours"


def test_a_reason_does_not_repeat_a_megabyte_of_output():
    assert len(metrics.read("loss: " + "1x" * 500_000 + "\n", "loss").reason) < 300
    assert len(metrics.read("my loss: " + "1 " * 500_000 + "\n", "loss").reason) < 300
    assert len(metrics.read("loss: " + "1" * 500_000 + "\n", "loss").reason) < 300
