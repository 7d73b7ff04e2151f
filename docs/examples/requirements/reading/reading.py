import humanize
import prefect_worklets as pw


@pw.node
def in_words(number: int) -> str:
    return f"{humanize.intword(number)} (humanize {humanize.__version__})"


@pw.worklet(requirements=["humanize==4.4.0"])
def number_in_words(number: int) -> str:
    """A number as people say it."""
    return in_words(number)
