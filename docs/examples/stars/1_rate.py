# --8<-- [start:class]
from pydantic import Field

import prefect_worklets as pw


class Stars(pw.ui.Custom):
    """Stars to press: how good something is."""

    esm = "stars.js"
    value: int = Field(0, ge=0, le=10)
    most: int = Field(5, ge=1, le=10)


# --8<-- [end:class]
# --8<-- [start:view]
stars = Stars(label="How was the soup?", most=7, height=2)
said = pw.ui.Text(pw.ui.expr("'You gave ' + str(stars) + ' of 7'", stars=stars))
view = pw.view("soup", [pw.page("Soup", [stars, said])])

with pw.Client() as client:
    client.push_component(Stars)
    print(view.publish(client))
# --8<-- [end:view]
