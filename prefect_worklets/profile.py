"""The profile: the address and key of the running server, for the clients of the same user."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from pydantic import BaseModel, ValidationError

from .connectors.errors import SetupError
from .connectors.layout import DataDirectory


class Profile(BaseModel):
    """How a client reaches the server.

    Attributes:
        url: the HTTP app's address.
        key: an API key.
        pid: the supervisor's process id.
    """

    url: str
    key: str
    pid: int | None = None


def write_profile(data: DataDirectory, profile: Profile) -> None:
    """Write the profile, readable by its owner alone, in one step."""
    handle, partial = tempfile.mkstemp(dir=data.root, prefix=".profile-")
    with os.fdopen(handle, "w") as file:
        file.write(profile.model_dump_json(indent=2))
    Path(partial).replace(data.profile)


def read_profile(data: DataDirectory) -> Profile:
    """The profile in a data directory. Raises SetupError."""
    try:
        return Profile.model_validate_json(data.profile.read_bytes())
    except FileNotFoundError:
        raise SetupError(
            f"No server runs on the data directory {data.root}; start one with `worklets up`, name another directory "
            "with WORKLETS_DATA_DIR, or set WORKLETS_URL and WORKLETS_KEY."
        ) from None
    except (OSError, ValidationError) as error:
        raise SetupError(f"The profile {data.profile} can't be read ({error}); start the server again.") from None
