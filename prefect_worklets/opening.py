"""The data directory and the store, made ready; what is wrong with them is said in one line."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from .connectors.errors import SetupError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .connectors.layout import DataDirectory
    from .connectors.store import Store
    from .settings import Settings


def prepare_data(settings: Settings) -> DataDirectory:
    """The data directory with its folders. Raises SetupError."""
    try:
        return settings.data.prepare()
    except OSError as error:
        raise SetupError(
            f"The data directory {settings.data.root} can't be used: {error.strerror}; give it to this user, "
            "or choose another with --data or WORKLETS_DATA_DIR."
        ) from None


def open_store(settings: Settings) -> Store:
    """The store with its tables up to date; the caller closes it. Raises SetupError."""
    from .connectors.store import Store

    store = Store(settings.store_url)
    try:
        with store_faults():
            store.migrate()
    except BaseException:
        store.close()
        raise
    return store


@contextmanager
def store_faults() -> Iterator[None]:
    """Raise SetupError, in the driver's own words, for whatever the database refuses within the block."""
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except SQLAlchemyError as error:
        # SQLAlchemy's words would add the statement, and a page to read.
        said = str(getattr(error, "orig", None) or error).strip().partition("\n")[0]
        raise SetupError(f"The store can't be used: {said}. `worklets doctor` may say why.") from None
