"""Loaded first by the fork server of isolated models, and by nothing else: the server ends with the app.

By itself it would end once the app has closed its pipe; but then it waits for the threads that imported packages have
started, for ever.
"""

from __future__ import annotations

import os

from ..connectors.lifeline import end_with

end_with(os.getppid())
