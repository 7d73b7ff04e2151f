"""How the console writes numbers, times and identifiers. Pure functions; the templates use them as filters."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import quote

from markupsafe import Markup, escape

_UNITS = (("year", 31_536_000), ("month", 2_592_000), ("day", 86_400), ("h", 3_600), ("min", 60))
_COUNTED = ("year", "month", "day")


def duration(microseconds: int | float) -> str:
    """A duration in three digits: `850 µs`, `12.4 ms`, `3.2 s`, `2 min 5 s`."""
    value = max(0.0, float(microseconds))
    if value < 1_000:
        return f"{value:.0f} µs"
    if value < 1_000_000:
        return f"{_three(value / 1_000)} ms"
    seconds = value / 1_000_000
    if seconds < 60:
        return f"{_three(seconds)} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"


def _three(value: float) -> str:
    text = f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:.0f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def size(count: int) -> str:
    """A number of bytes: `912 B`, `3.4 MB`."""
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000 or unit == "GB":
            return f"{value:.0f} B" if unit == "B" else f"{_three(value)} {unit}"
        value /= 1000
    return f"{count} B"


def amount(count: int) -> str:
    """A number with thin spaces between the thousands."""
    return f"{count:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def _ahead(seconds: float) -> str:
    for length, unit in ((86_400, "days"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * length or length == 60:
            return f"in {round(seconds / length)} {unit}"
    return "soon"


def ago(moment: datetime, now: datetime | None = None) -> str:
    """How long ago, or how far ahead: `just now`, `5 min ago`, `2 days ago`, `in 3 h`."""
    seconds = ((now or datetime.now(UTC)) - moment).total_seconds()
    if seconds < 0:
        return "just now" if seconds > -60 else _ahead(-seconds)
    for name, length in _UNITS:
        count = int(seconds // length)
        if count:
            return f"{count} {name}{'s' if count > 1 and name in _COUNTED else ''} ago"
    return f"{int(seconds)} s ago" if seconds >= 10 else "just now"


def from_us(microseconds: int) -> datetime:
    """The time that many microseconds after 1970."""
    return datetime.fromtimestamp(microseconds / 1_000_000, UTC)


def time_element(moment: datetime | None, now: datetime | None = None) -> Markup:
    """A `<time>` element: how long ago, with the exact time on hovering."""
    if moment is None:
        return Markup("—")
    exact = moment.astimezone(UTC)
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        exact.isoformat(timespec="milliseconds"), exact.strftime("%Y-%m-%d %H:%M:%S UTC"), ago(moment, now)
    )


def clock_element(moment: datetime) -> Markup:
    """A `<time>` element: the time of the day to the millisecond, with the date on hovering."""
    exact = moment.astimezone(UTC)
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        exact.isoformat(timespec="microseconds"),
        exact.strftime("%Y-%m-%d %H:%M:%S.%f UTC"),
        exact.strftime("%H:%M:%S.%f")[:-3],
    )


def url_part(text: str) -> str:
    """A text as one part of a URL's path."""
    return quote(str(text), safe="")


def short(identifier: str) -> str:
    """The last digits of a run's id: its beginning is the time. Prefect's pages name the run by them, too."""
    return identifier[-8:]


def with_code(text: str) -> Markup:
    """A message with what stands between backticks as code."""
    parts = str(text).split("`")
    if len(parts) % 2 == 0:
        return escape(text)
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if number % 2 else escape(part) for number, part in enumerate(parts)
    )
