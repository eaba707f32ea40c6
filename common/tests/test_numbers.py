"""Numbers as people write them."""

from decimal import Decimal, InvalidOperation

import pytest

from common.numbers import read_number

SPACES = " \u00a0\u1680\u2002\u2003\u2007\u2008\u2009\u200a\u202f\u205f\u3000\t"


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("3.14", "3.14"),
        ("3,14", "3.14"),
        ("３，１４", "3.14"),
        ("−5", "-5"),
        ("–5", "-5"),
        ("－5", "-5"),
        ("﹣5", "-5"),
        ("− 5,5", "-5.5"),
        ("+5", "5"),
        (",5", "0.5"),
        ("٣٫١٤", "3.14"),
        ("١٬٢٣٤", "1234"),
        ("1e3", "1000"),
        ("\ufeff5", "5"),
        *((f"{space}1{space}234{space}567,5{space}", "1234567.5") for space in SPACES),
    ],
)
def test_a_number(written, number):
    assert Decimal(read_number(written)) == Decimal(number)


@pytest.mark.parametrize(
    "written", ["", "x", "1,234.5", "1.234,5", "1,234,567", "1/2", "½", "5 кг", "--5", "5-", ",", "−"]
)
def test_no_number(written):
    with pytest.raises(InvalidOperation):
        Decimal(read_number(written))


@pytest.mark.parametrize("text", ["8\u200e", "\u200e8", "8\u202c", "\u20668\u2069"])
def test_marks_of_direction_are_no_part_of_a_number(text):
    assert read_number(text) == "8"
