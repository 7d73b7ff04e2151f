"""The chart: points are worked out here, and ECharts, which comes with Panel, draws them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import panel

from .base import ViewComponent
from .chart_data import chart_data

_BUNDLED = Path(panel.__file__).parent / "dist"


def library() -> str:
    """The address of ECharts on our own origin."""
    found = sorted(_BUNDLED.glob("bundled/echarts/echarts@*/dist/echarts.min.js"))
    return f"/views/cdn/panel/dist/{found[-1].relative_to(_BUNDLED).as_posix()}"


class Chart(ViewComponent):
    """Draws `chart`. A press on a point comes back as the number of its row."""

    type = "chart"

    def transform(self, props: dict[str, Any]) -> dict[str, Any]:
        """The series in place of the rows."""
        kept = {name: value for name, value in props.items() if name != "rows"}
        return {**kept, "data": chart_data(props), "library": library()}

    def read_event(self, event: str, data: Any) -> Any:
        """The row of the point that was pressed, or the bin."""
        number = data["index"]
        if type(number) is not int or number < 0:
            raise LookupError(f"there is no point {number!r}")
        if self._plain["kind"] == "histogram":
            made = chart_data(self._plain)
            low, high = made["edges"][number], made["edges"][number + 1]
            count = sum(series["points"][number][1] for series in made["series"])
            picked = {"from": low, "to": high, "count": count}
        else:
            picked = (self._plain["rows"] or [])[number]
        self._outlet.changed(self._declared.id, "picked", picked)
        return {"row": picked, "index": number, "series": str(data.get("series", ""))[:200]}
