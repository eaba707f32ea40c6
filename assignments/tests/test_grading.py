"""How work is scored: dense tables of pure functions."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import product

import pytest

from assignments import grading

DUE = datetime(2026, 3, 1, 12, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("late", "days"),
    [
        (timedelta(days=-400), 0),
        (-MICROSECOND, 0),
        (timedelta(), 0),
        (MICROSECOND, 1),
        (timedelta(seconds=1), 1),
        (timedelta(hours=23, minutes=59, seconds=59), 1),
        (timedelta(days=1), 1),
        (timedelta(days=1) + MICROSECOND, 2),
        (timedelta(days=1, hours=12), 2),
        (timedelta(days=2), 2),
        (timedelta(days=365), 365),
    ],
    ids=str,
)
def test_days_late(late, days):
    assert grading.days_late(DUE + late, DUE) == days


def test_what_has_no_date_is_never_late():
    assert grading.days_late(DUE, None) == 0


def test_time_zones_do_not_make_work_late():
    same_moment = DUE.astimezone(tz=datetime.strptime("+0900", "%z").tzinfo)

    assert grading.days_late(same_moment, DUE) == 0


@pytest.mark.parametrize(
    ("raw", "percent", "days", "penalty"),
    [
        ("80", 10, 2, "16"),
        ("80", 10, 0, "0"),
        ("80", 0, 5, "0"),
        ("80", 10, 1, "8"),
        ("80", 10, 10, "80"),
        ("80", 10, 11, "80"),
        ("80", 100, 1, "80"),
        ("80", 100, 10_000, "80"),
        ("80", 33, 3, "79.2"),
        ("80", 33, 4, "80"),
        ("0", 10, 3, "0"),
        ("0.01", 49, 1, "0"),
        ("0.01", 50, 1, "0.01"),
        ("33.33", 10, 1, "3.33"),
        ("33.35", 10, 1, "3.34"),
        ("99999.99", 7, 3, "21000"),
    ],
)
def test_late_penalty(raw, percent, days, penalty):
    assert grading.late_penalty(Decimal(raw), percent, days) == Decimal(penalty)


@pytest.mark.parametrize("raw", ["0", "0.01", "0.99", "66.67", "10000"])
def test_a_penalty_lies_between_nothing_and_all(raw):
    for percent, days in product((0, 1, 7, 33, 99, 100), (0, 1, 2, 3, 100, 10**6)):
        assert 0 <= grading.late_penalty(Decimal(raw), percent, days) <= Decimal(raw), (percent, days)


@pytest.mark.parametrize(
    ("value", "rounded"),
    [("1.005", "1.01"), ("1.004", "1.00"), ("1.015", "1.02"), ("1.025", "1.03"), ("0", "0.00"), ("-1.005", "-1.01")],
)
def test_halves_are_rounded_away_from_zero(value, rounded):
    assert str(grading.rounded(Decimal(value))) == rounded


@pytest.mark.parametrize(
    ("points", "of", "percent"),
    [
        ("0", "5", "0"),
        ("5", "5", "100"),
        ("1", "3", "33.33"),
        ("2", "3", "66.67"),
        ("1", "8", "12.5"),
        ("0.01", "10000", "0"),
        ("0", "0", "0"),
        ("3", "0", "0"),
    ],
)
def test_percent(points, of, percent):
    assert grading.percent(Decimal(points), Decimal(of)) == Decimal(percent)


@pytest.mark.parametrize(
    ("points", "of", "needed", "passed"),
    [
        ("3", "5", "60", True),
        ("2.99", "5", "60", False),
        ("29.998", "50", "60", False),
        ("0", "5", "0", True),
        ("5", "5", "100", True),
        ("4.99", "5", "100", False),
        ("2", "3", "66.66", True),
        ("2", "3", "66.67", False),
    ],
)
def test_passing_is_decided_before_rounding(points, of, needed, passed):
    assert grading.is_passed(Decimal(points), Decimal(of), Decimal(needed)) is passed


@pytest.mark.parametrize(
    ("chosen", "correct", "share"),
    [
        ("", "a", "0"),
        ("a", "a", "1"),
        ("b", "a", "0"),
        ("ab", "a", "0"),
        ("abc", "a", "0"),
        ("ab", "ab", "1"),
        ("a", "ab", "0.5"),
        ("ac", "ab", "0"),
        ("abc", "ab", "0.5"),
        ("abcd", "ab", "0"),
        ("cd", "ab", "0"),
        ("abc", "abcd", "0.75"),
        ("abcd", "abcd", "1"),
        ("aaa", "ab", "0.5"),
        ("abe", "abcd", "0.25"),
        ("", "", "0"),
        ("a", "", "0"),
    ],
)
def test_score_choices(chosen, correct, share):
    assert grading.score_choices(chosen, correct) == Decimal(share)


@pytest.mark.parametrize(
    ("text", "accepted", "right"),
    [
        ("Sirius", ["Sirius"], True),
        (" sirius\n", ["Sirius"], True),
        ("SIRIUS", ["  sirius "], True),
        ("СИРИУС", ["Sirius", "Сириус"], True),
        ("STRASSE", ["straße"], True),
        # One letter or two, whichever way the keyboard makes it.
        ("Чайник и\u0306", ["чайник й"], True),
        ("Ｓｉｒｉｕｓ", ["Sirius"], True),
        ("ﬁne", ["FINE"], True),
        ("большой\u00a0\u2009 \n пёс", ["Большой пёс"], True),
        ("елка", ["Ёлка"], True),
        ("Е\u0308ЛКА", ["елка"], True),
        ("ёлка", ["ёлка"], True),
        ("и", ["й"], False),
        ("Siriu", ["Sirius"], False),
        ("Siri us", ["Sirius"], False),
        ("", ["Sirius"], False),
        ("", [""], False),
        ("  ", [" "], False),
        ("Sirius", [], False),
    ],
)
def test_is_right_text(text, accepted, right):
    assert grading.is_right_text(text, accepted) is right


@pytest.mark.parametrize(
    ("text", "right"), [("ёлка", True), ("Е\u0308ЛКА", True), (" Ёлка ", True), ("елка", False), ("ЕЛКА", False)]
)
def test_is_exactly_the_right_text(text, right):
    assert grading.is_right_text(text, ["ёлка"], exact=True) is right


@pytest.mark.parametrize(
    ("number", "correct", "tolerance", "right"),
    [
        ("3.5", "3.5", "0", True),
        ("3.50", "3.5", "0", True),
        ("3.50000001", "3.5", "0", False),
        ("3.6", "3.5", "0.1", True),
        ("3.4", "3.5", "0.1", True),
        ("3.60000001", "3.5", "0.1", False),
        ("-3.5", "3.5", "0.1", False),
        ("-3.5", "-3.4", "0.1", True),
        ("0", "0", "0", True),
        (None, "0", "1", False),
        ("0", None, "1", False),
    ],
)
def test_is_right_number(number, correct, tolerance, right):
    given = Decimal(number) if number is not None else None
    key = Decimal(correct) if correct is not None else None

    assert grading.is_right_number(given, key, Decimal(tolerance)) is right
