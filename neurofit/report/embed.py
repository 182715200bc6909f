"""Figures as parts of the page: an SVG or PNG inside the file, with its size and a text for those who do not see it."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from typing import Literal

import matplotlib
from matplotlib.figure import Figure
from PIL import Image

from neurofit.report.figures.style import CSS_DPI, SHARPNESS

# Colours of a PNG: enough for lines on white, and a third of the size of true colour.
PALETTE = 128


@dataclass(frozen=True)
class Picture:
    """A figure, ready for ``<img>``.

    Attributes
    ----------
    source
        ``data:`` address that holds the whole image.
    alt
        What the figure shows, in a sentence.
    width, height
        CSS pixels at which its text has the size it was drawn with.
    caption
        What stands below it; may be empty.
    """

    source: str
    alt: str
    width: int
    height: int
    caption: str = ""


def picture(figure: Figure, alt: str, kind: Literal["svg", "png"] = "svg", caption: str = "") -> Picture:
    """A figure as an image inside the page.

    Parameters
    ----------
    figure
        Not used any more afterwards.
    alt
        What it shows, in a sentence.
    kind
        ``"svg"`` where it holds few shapes, ``"png"`` where it is dense.
    caption
        What stands below it.
    """
    content = _svg(figure) if kind == "svg" else _png(figure)
    mime = "image/svg+xml" if kind == "svg" else "image/png"
    width, height = figure.get_size_inches()
    return Picture(
        f"data:{mime};base64,{base64.b64encode(content).decode('ascii')}",
        alt,
        round(width * CSS_DPI),
        round(height * CSS_DPI),
        caption,
    )


def _svg(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    # a fixed salt and no date: the same fit gives the same page
    with matplotlib.rc_context({"svg.hashsalt": "neurofit", "svg.fonttype": "path"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()


def _png(figure: Figure) -> bytes:
    drawn, small = io.BytesIO(), io.BytesIO()
    figure.savefig(drawn, format="png", dpi=CSS_DPI * SHARPNESS)
    with Image.open(drawn) as image:
        image.convert("RGB").quantize(PALETTE, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(
            small, format="png", optimize=True
        )
    return small.getvalue()
