"""Paint one picture in the style of another: fetch both, call the model, describe and keep the result."""

import asyncio

import numpy as np
from pydantic import BaseModel, Field

import prefect_worklets as pw


class StyleRequest(BaseModel):
    """What to paint, and how."""

    content: pw.Image = Field(description="The picture to paint: a URL, a data URL or an uploaded file.")
    style: pw.Image = Field(description="The picture whose style is taken.")
    size: int = Field(default=384, ge=128, le=768, description="The longer side of the result in pixels.")


class StyledImage(BaseModel):
    """The painted picture and where it came from."""

    image: pw.Image
    width: int
    height: int
    model: str
    model_version: str
    seconds: float


@pw.node(timeout=30)
async def fetch(request: StyleRequest) -> StyleRequest:
    """Fetch and decode both pictures."""
    images = pw.context().images
    content, style = await asyncio.gather(request.content.load(images), request.style.load(images))
    return StyleRequest(content=content, style=style, size=request.size)


@pw.node
async def annotate(picture: np.ndarray) -> StyledImage:
    """Keep the picture in the file store and say how it was made."""
    run = pw.context()
    image = await pw.Image.from_array(picture).stored(run.files, name="stylized.png", owner=run.owner)
    return StyledImage(
        image=image,
        width=image.width,
        height=image.height,
        model="style-transfer",
        model_version=run.model_versions["style-transfer"],
        seconds=round(run.elapsed, 3),
    )


@pw.worklet(timeout=60)
def stylize(request: StyleRequest) -> StyledImage:
    """Paint `content` in the style of `style`."""
    pair = fetch(request)
    picture = pw.model("style-transfer")(pair)
    result = annotate(picture)
    pw.save("stylized")(result)
    return result
