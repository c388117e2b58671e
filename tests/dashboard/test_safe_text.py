"""What agents write may not do anything to the terminal of the person who reads it."""

from autoresearch.dashboard.safe_text import one_line, shorten, visible, width


def test_an_idea_cannot_colour_or_clear_the_screen() -> None:
    assert one_line("\x1b[31mred\x1b[0m \x1b[2Jtext") == "red text"


def test_an_idea_cannot_set_the_window_title_or_the_clipboard() -> None:
    assert one_line("before\x1b]52;c;aGk=\x07after") == "beforeafter"


def test_an_idea_stays_on_one_line() -> None:
    assert one_line("a\r\nb\tc\u2028d\x85e") == "a b c d e"


def test_an_idea_cannot_reverse_the_text_beside_it() -> None:
    assert one_line("safe\u202etxet") == "safe txet"


def test_a_file_name_that_is_not_text_can_be_shown() -> None:
    assert one_line("caf\udce9.py") == "caf\\udce9.py"


def test_a_log_keeps_its_lines_and_shows_its_control_characters() -> None:
    assert visible("one\n\ttwo\x1b[31m\r") == "one\n\ttwo\\x1b[31m\\r"


def test_wide_characters_count_twice_so_that_rows_do_not_wrap() -> None:
    assert width("日本") == 4
    assert shorten("日本語", 5) == "日本…"
    assert width(shorten("日本語です", 6)) <= 6


def test_what_fits_is_not_shortened() -> None:
    assert shorten("exact", 5) == "exact"
    assert shorten("longer", 5) == "long…"
