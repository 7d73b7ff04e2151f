"""What the page around a view needs to know."""

from __future__ import annotations

from typing import Any

from .auth import Visit
from .branding import Brand
from .components.base import SCRIPTS
from .components.containers import cell_of
from .handlers import user_name
from .open_view import in_order


def page_variables(visit: Visit, brand: Brand) -> dict[str, Any]:
    """What page.html needs; it escapes all of it."""
    document, page = visit.document, visit.document.page_at(visit.page)
    pages = [{"id": each.id, "title": each.title or words(each.id), "here": each is page}
             for each in document.pages if not each.hidden]  # fmt: skip
    return {
        "pages": pages if len(pages) > 1 else [],
        "heading": document.title,
        "description": document.description,
        "brand": brand.of_view(document.theme.name, document.theme.accent, document.theme.logo),
        "mode": document.theme.mode,
        "user": user_name(visit.principal),
        "ticket": visit.ticket,
        "embedded": visit.embedded,
        "origins": visit.document.access.origins if visit.embedded else [],
        "cells": [
            cell_of(part)
            for part in in_order(page, None)
            if part.type not in ("alert", "modal") and part.visible_if is None
        ],
        "scripts": needed_scripts(visit),
    }


def words(name: str) -> str:
    """A name for people: `sales_desk` is Sales desk."""
    return name.replace("_", " ").capitalize()


def needed_scripts(visit: Visit) -> list[str]:
    """The scripts of the kinds on the page, for the browser to fetch at once."""
    types = {part.type for part in visit.document.page_at(visit.page).components}
    known = {path.stem for path in SCRIPTS}
    return [f"{name}.js" for name in ("kit", "typed", "grid", "tracks", "field", "notes", *sorted(types & known))]
