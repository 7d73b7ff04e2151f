# --8<-- [start:class]
from typing import ClassVar

from pydantic import BaseModel, Field

import prefect_worklets as pw


class Rating(BaseModel):
    stars: int
    share: float = Field(ge=0, le=1)


class Stars(pw.ui.Custom):
    """Stars to press: how good something is."""

    esm = "stars.js"
    value: int = Field(0, ge=0, le=10)
    most: int = Field(5, ge=1, le=10)
    hovered: int = 0
    gives = ("hovered",)
    fires: ClassVar = {"rated": Rating}


# --8<-- [end:class]
# --8<-- [start:view]
most = pw.ui.Slider("Out of", min=3, max=10, value=7)
stars = Stars(
    label="How was the soup?",
    most=most,
    height=2,
    on_rated=pw.ui.notify(pw.ui.expr("'Thank you for ' + str(round(event.share * 100)) + ' %'")),
)
would = pw.ui.Text(pw.ui.expr("'A press gives ' + str(n) if n else ''", n=stars.read("hovered")), style="muted")
said = pw.ui.Text(pw.ui.expr("'You gave ' + str(stars) + ' of ' + str(most)", stars=stars, most=most))
view = pw.view("soup", [pw.page("Soup", [most, stars, would, said])])
view.servable()  # for `panel serve`

if __name__ == "__main__":
    with pw.Client() as client:
        client.push_component(Stars)
        print(view.publish(client))
# --8<-- [end:view]
