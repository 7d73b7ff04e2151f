"""What works in the background stands back where the kernel shares the processor out by session."""

import asyncio
import sys
from pathlib import Path

import pytest

from prefect_worklets.children import Child, ChildSpec

pytestmark = pytest.mark.skipif(not Path("/proc/self/autogroup").exists(), reason="the kernel has no session groups")


def group_of(pid):
    return Path(f"/proc/{pid}/autogroup").read_text()


@pytest.mark.parametrize("niceness", [0, 10])
async def test_a_child_has_the_weight_of_its_niceness(niceness):
    command = [sys.executable, "-c", "import time; time.sleep(60)"]
    # Several at once: the kernel takes one change of a weight in a tenth of a second, and refuses more.
    children = [Child(ChildSpec(f"back{n}", command, niceness=niceness), lambda *_: None) for n in range(3)]
    for child in children:
        child.start()
    try:
        for child in children:
            await asyncio.wait_for(child.ready.wait(), 10)
        for _ in range(100):
            groups = [group_of(child.pid) for child in children]
            if all(group.endswith(f" nice {niceness}\n") for group in groups):
                break
            await asyncio.sleep(0.05)
        assert all(group.endswith(f" nice {niceness}\n") for group in groups)
    finally:
        for child in children:
            await child.stop()
