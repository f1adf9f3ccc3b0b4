"""Numbers and other values as the pages write them."""

import base64
import math

import pytest

from mmsrarec.study.report.formats import cost, jpeg_uri, number, p_value, plain, thousands


@pytest.mark.parametrize(
    ("value", "name", "text"),
    [
        (0.1234, "total", "0.123"),
        (-7.456, "total", "-7.46"),
        (4123.0, "anything", "4,123"),
        (0.055, "malformed", "5.5%"),
        (0.222, "copied from the title", "22.2%"),
        (0.4, "coverage", "40.0%"),
        (12.0, "items", "12"),
        (8.0, "items in Drama", "8"),
        (None, "total", "–"),
        (math.inf, "total", "–"),
        (math.nan, "total", "–"),
    ],
)
def test_a_figure_is_written_by_its_name_and_size(value: float | None, name: str, text: str) -> None:
    assert number(value, name) == text


def test_the_ends_of_an_interval_have_the_decimals_of_its_mean() -> None:
    assert number(9.5, "tokens", 120) == "10"
    assert number(9.5, "tokens", 0.1) == "9.500"


def test_costs_are_whole_from_ten_up() -> None:
    assert [cost(value) for value in (None, 1, 640, 12.6, 1234.5, 0.0251, 3.14)] == [
        *("–", "1", "640", "13", "1,234", "0.025", "3.1")
    ]


def test_values_of_any_kind_are_plain_text() -> None:
    assert [plain(value) for value in (True, False, None, 12345, 0.12345678, "text", [0.5, 1, None])] == [
        *("yes", "no", "–", "12,345", "0.1235", "text", "0.5, 1, –")
    ]


def test_p_values_below_a_thousandth_are_not_told_apart() -> None:
    assert [p_value(p) for p in (0.0002, 0.001, 0.0501, 1.0)] == ["< .001", "= 0.001", "= 0.050", "= 1.000"]


def test_thousands_have_commas() -> None:
    assert (thousands(999), thousands(1234567)) == ("999", "1,234,567")


def test_a_picture_is_its_own_address() -> None:
    head, data = jpeg_uri(b"\xff\xd8picture").split(",")
    assert head == "data:image/jpeg;base64"
    assert base64.b64decode(data) == b"\xff\xd8picture"
