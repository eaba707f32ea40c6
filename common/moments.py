"""What a bare date stands for: as a beginning its first moment, as an end its last."""

from datetime import date, datetime, time, tzinfo


def read_date(text: str) -> date | None:
    """The day, if the text is a date without a time (`2026-11-30`); else None."""
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        return None


def start_of_day(day: date, zone: tzinfo) -> datetime:
    """The day's first moment. Where clocks are put back over midnight, that is the earlier of the two midnights."""
    return datetime.combine(day, time.min, zone)


def end_of_day(day: date, zone: tzinfo) -> datetime:
    """The day's last moment, as precisely as a database keeps it."""
    return datetime.combine(day, time.max, zone).replace(fold=1)
