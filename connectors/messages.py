"""Messages to people, by Apprise: one address for each of some hundred services."""

from __future__ import annotations


class UnknownTarget(Exception):
    """No service understands an address; the message doesn't repeat it, as it may hold a password."""


def send_message(address: str, title: str, body: str) -> bool:
    """Send a message to one address; False if the service did not take it. Blocking.

    Raises:
        UnknownTarget: no service understands the address.
    """
    # Imported here: it takes a quarter of a second, which only those who send messages spend.
    import apprise

    # Nothing is kept on disk, and nothing of an address is logged.
    asset = apprise.AppriseAsset(app_id="prefect-worklets", app_desc="prefect-worklets", async_mode=False)
    asset.secure_logging = True
    sender = apprise.Apprise(asset=asset)
    scheme = address.partition("://")[0]
    if scheme in ("file", "syslog", "dbus", "windows", "macosx") or not sender.add(address):
        raise UnknownTarget("its address is of no known form")
    return bool(sender.notify(body=body, title=title))
