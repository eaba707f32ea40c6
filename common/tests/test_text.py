"""Text in one normal form."""

import time
import unicodedata

import pytest

from common.serializers import CharField
from common.text import folded, normalised, plain, trimmed


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_a_name_is_the_same_however_it_was_typed(form):
    assert normalised(unicodedata.normalize(form, "Зоя Ёлкина é ế 각")) == unicodedata.normalize(
        "NFC", "Зоя Ёлкина é ế 각"
    )


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("\ufeffАнна\u200b", "Анна"),
        ("\u00a0\u2003Анна\u3000\n", "Анна"),
        ("в\u00a0России", "в\u00a0России"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("👩\u200d💻", "👩\u200d💻"),
        ("\u200d\u2060\u3164 \u2800", ""),
        ("", ""),
    ],
)
def test_ends_are_cut_and_words_left_alone(typed, read):
    assert trimmed(typed) == read


def test_what_shows_nothing_is_blank():
    with pytest.raises(Exception, match="blank"):
        CharField().run_validation("\u200d\u3164")


def test_comparisons_know_no_case_no_dots_over_e_and_no_widths():
    assert folded("  Ёлка\u00a0 ＡＢＣ ﬁ ") == folded("елка abc fi")


def test_marks_without_end_take_no_longer_than_other_letters():
    text = "a" + "\u0301\u0327" * 100_000

    start = time.process_time()
    assert len(normalised(text)) >= 200_000
    assert time.process_time() - start < 1


def test_no_letter_grows_into_a_sentence():
    assert len(plain("\ufdfa" * 1000)) == 1000


def test_a_long_text_is_refused_before_anything_looks_at_it():
    field = CharField(max_length=10, validators=[lambda text: pytest.fail("was asked")])

    with pytest.raises(Exception, match="no more than 10"):
        field.run_validation("x" * 11)


def test_length_is_that_of_the_normal_form():
    assert CharField(max_length=3).run_validation(unicodedata.normalize("NFD", "ếếế")) == "ếếế"


@pytest.mark.parametrize(
    "text",
    ["Сириус\u200e", "\u200fСириус", "Си\u00adриус", "Сири\u200dус", "Сириус\ufe0f", "\u2066Сириус\u2069", "СИРИУС"],
)
def test_what_nobody_sees_makes_no_difference(text):
    assert folded(text) == folded("Сириус")


def test_signs_that_are_written_for_one_another_are_the_same():
    assert folded("Санкт\u2011Петербург") == folded("Санкт-Петербург")
    assert folded("д\u2019Артаньян") == folded("д'Артаньян")
