"""Lines as YAML counts them."""

import re

from proxy.config.lines import end_of, find, lines_of

TEXT = "a\rb\r\nc\nd\x85e\u2028f\u2029g\x0b\x0c\x1ch\n"


def test_every_line_end_of_yaml_is_one_and_no_other() -> None:
    assert lines_of(TEXT) == ["a", "b", "c", "d", "e", "f", "g\x0b\x0c\x1ch", ""]
    assert lines_of("") == [""]


def test_where_a_text_ends() -> None:
    assert end_of("") == (0, 0)
    assert end_of("ab") == (0, 2)
    assert end_of("ab\r\nc") == (1, 1)


def test_what_is_found_between_two_spots() -> None:
    lines = ["x1 x2", "x3", "x4 x5"]
    found = [find(lines, (0, 1), (2, 2), re.compile(r"x\d"), number) for number in range(4)]
    assert found == [((0, 3), 2), ((1, 0), 2), ((2, 0), 2), None]
    assert find(lines, (2, 0), (9, 0), re.compile("x5"), 0) == ((2, 3), 2)
