"""What `worklets up` prints when everything runs: the addresses, one a line."""

from __future__ import annotations

import asyncio
import json
import shlex

import httpx

from .connectors.access import Access
from .demo.pictures import write_pictures
from .processes import Instance

DEMO_VIEW = "stylize"
DEMO_SECONDS = 120.0


async def announce(instance: Instance, access: Access, *, as_json: bool) -> None:
    """Print the links. In the demo, wait until its worklet answers."""
    entries = await asyncio.to_thread(_links, instance, access)
    if instance.demo:
        await _wait_for_demo(instance)
        entries |= await asyncio.to_thread(_demo_links, instance, access)
    if as_json:
        print(json.dumps({name: value for name, (_, value) in entries.items()}), flush=True)
        return
    width = max(len(label) for label, _ in entries.values())
    lines = [f"  {label:<{width}}  {value}" for label, value in entries.values()]
    print("\nReady. Ctrl-C stops everything.\n\n" + "\n".join(lines) + "\n", flush=True)


def _links(instance: Instance, access: Access) -> dict[str, tuple[str, str]]:
    origin = instance.settings.public_origin
    admin = access.ensure_user("admin", "admin")
    token = access.create_login_link(admin.id)
    return {
        "console": ("Console (signs you in, once)", f"{origin}/login/{token}"),
        "api": ("API", f"{origin}/api"),
        "prefect": ("Prefect UI", instance.prefect_ui),
        "prefect_api": ("Prefect API", instance.prefect_api),
        "environment": ("For commands and notebooks", f"export WORKLETS_DATA_DIR={_quoted(instance)}"),
    }


def _quoted(instance: Instance) -> str:
    return shlex.quote(str(instance.settings.data.root))


def _demo_links(instance: Instance, access: Access) -> dict[str, tuple[str, str]]:
    origin = instance.settings.public_origin
    pictures = {path.stem: path for path in write_pictures(instance.settings.data.root / "demo")}
    key = access.replace_key("demo", "operator")
    curl = (
        f"curl -sS {origin}/api/worklets/stylize/invoke -H 'Authorization: Bearer {key}' -H 'Accept: image/png' "
        f"-F content=@{shlex.quote(str(pictures['temple']))} -F style=@{shlex.quote(str(pictures['mosaic']))} "
        "-o stylized.png"
    )
    return {
        "view": ("The stylize page", f"{origin}/views/{DEMO_VIEW}"),
        "curl": ("The same by curl", curl),
    }


async def _wait_for_demo(instance: Instance) -> None:
    headers = {"authorization": f"Bearer {instance.internal_key}"}
    async with httpx.AsyncClient(base_url=instance.api_url, headers=headers, timeout=5, trust_env=False) as client:
        deadline = asyncio.get_running_loop().time() + DEMO_SECONDS
        while asyncio.get_running_loop().time() < deadline:
            try:
                if (await client.get("/api/worklets/stylize")).is_success:
                    return
            except httpx.HTTPError:
                pass
            await asyncio.sleep(0.2)
