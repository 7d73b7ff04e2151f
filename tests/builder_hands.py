"""Hands for the builder in a real browser: what a test of it does with mouse and keyboard."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Locator, Page, expect

PATIENCE = 30_000
_GRID = """() => {
    const frame = document.querySelector("iframe.preview:not(.coming)")
    const find = (node) => {
        for (const each of node.querySelectorAll("*")) {
            if (each.classList.contains("tracks")) return each
            const inside = each.shadowRoot && find(each.shadowRoot)
            if (inside) return inside
        }
        return null
    }
    const [grid, place] = [find(frame.contentDocument).getBoundingClientRect(), frame.getBoundingClientRect()]
    const scale = place.width / frame.offsetWidth
    return [grid.left * scale + place.left, grid.top * scale + place.top, grid.width * scale]
}"""


class BuilderHands:
    """A builder's page, as its user touches it."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.errors: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))

    def open(self, slug: str) -> None:
        """Go to the builder of a view, and wait until it shows it."""
        self.page.goto(f"{self.url}/console/views/{slug}/edit")
        self.ready()

    def ready(self) -> None:
        """Wait until the page is drawn."""
        self.page.locator("[data-ready=true]").wait_for(timeout=PATIENCE)
        self.page.locator(".canvas:not(.first)").wait_for(timeout=PATIENCE)

    def settled(self) -> None:
        """Wait until what was done is saved, and the preview shows it."""
        expect(self.page.locator("[data-part=status]")).not_to_have_text("Saving…", timeout=PATIENCE)
        self.page.wait_for_function(
            "() => document.querySelector('.canvas').dataset.preview === 'fresh'", timeout=PATIENCE
        )

    def box(self, id: str) -> Locator:
        """What is pressed to select a component."""
        return self.page.locator(f"[data-box={id}]")

    def middle(self, id: str) -> tuple[float, float]:
        """The middle of a component on the screen."""
        box = self._bounds(self.box(id))
        return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    def below(self, *ids: str) -> float:
        """A place below all of these."""
        return max(box["y"] + box["height"] for box in (self._bounds(self.box(id)) for id in ids)) + 40

    def column(self, number: float, down: float = 20) -> tuple[float, float]:
        """A point of the page's grid, by its column."""
        left, top, width = self.page.evaluate(_GRID)
        return left + width * (number + 0.5) / 12, top + down

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Press, move, let go."""
        mouse = self.page.mouse
        mouse.move(*start)
        mouse.down()
        mouse.move(start[0] + 10, start[1] + 6, steps=2)
        mouse.move(*end, steps=6)
        mouse.up()

    def bring(self, tile: str, to: tuple[float, float], appears: str) -> None:
        """Drag something of the left panel onto the page; a component of that name appears."""
        source = self.page.locator(f"[data-kind='{tile}'], [data-source='{tile}']")
        source.scroll_into_view_if_needed()
        box = self._bounds(source)
        self.drag((box["x"] + box["width"] / 2, box["y"] + box["height"] / 2), to)
        self.box(appears).wait_for(timeout=PATIENCE)
        self.settled()

    def select(self, id: str) -> None:
        """Press a component near its corner."""
        self.box(id).click(position={"x": 8, "y": 8})
        expect(self.page.locator("#component-name")).to_have_value(id)

    def rename(self, to: str) -> None:
        """Give the selected component another name."""
        field = self.page.locator("#component-name")
        field.fill(to)
        field.press("Enter")
        self.box(to).wait_for(timeout=PATIENCE)

    def set(self, name: str, value: Any) -> None:
        """Set a property of the selected component."""
        field = self.page.locator(f"#property-{name}")
        field.fill(str(value))
        field.press("Enter")

    def connect(self, what: str) -> Locator:
        """Open the picker of a property."""
        self.page.get_by_role("button", name=f"Connect {what} to data").click()
        return self.page.locator(".popover")

    def to_state(self, what: str, key: str, *, part: str = "", whether: str = "") -> None:
        """Connect a property to a state, to a part of it, or to how it stands."""
        picker = self.connect(what)
        picker.get_by_role("button", name=key).click()
        if part:
            picker.get_by_placeholder("the whole value").fill(part)
        if whether:
            picker.locator("select").select_option(label=f"Whether it is {whether}")
        picker.get_by_role("button", name="Connect", exact=True).click()
        self.settled()

    def add_step(self, title: str) -> None:
        """Add a step to what the selected component's event does."""
        self.page.get_by_role("button", name="Add a step").first.click()
        self.page.locator(".popover").get_by_role("button", name=title).click()
        self.page.locator(".step header", has_text=title).wait_for(timeout=PATIENCE)
        self.settled()

    def publish(self, note: str) -> None:
        """Publish the draft."""
        self.page.get_by_role("button", name="Publish…").click()
        self.page.get_by_label("Note").fill(note)
        self.page.locator("dialog").get_by_role("button", name="Publish", exact=True).click()
        expect(self.page.locator("[data-part=status]")).to_have_text("Published", timeout=PATIENCE)

    @staticmethod
    def _bounds(element: Locator) -> Any:
        bounds = element.bounding_box()
        assert bounds is not None, f"{element} is not on the screen"
        return bounds
