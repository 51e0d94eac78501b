"""What a reader of an answer should know before trusting it, in sentences."""

import re
from collections.abc import Mapping
from typing import Any

from geomag.ask.scene import Grid

DOUBTFUL = 0.6
"""Probability of the granularity below which the answer says that it is in doubt."""
_MARKS = re.compile(r"\[SEG\d*\]?|</?p>")


def plain_text(text: str) -> str:
    """What the model said, for people: without the marks of its masks and their phrases.

    >>> plain_text("<p> Two ships </p> [SEG] lie by <p> a pier </p> [SEG].")
    'Two ships lie by a pier.'
    """
    words = " ".join(_MARKS.sub(" ", text).split())
    closed = re.sub(r"\s+([.,;:?!])", r"\1", words)
    return closed if any(letter.isalnum() for letter in closed) else ""


def parts_line(model: Mapping[str, str]) -> str:
    """The parts of a model with their digests, in one line.

    >>> parts_line({"base": "b1", "decoder": "d1"})
    'base:b1 decoder:d1'
    """
    return " ".join(f"{part}:{digest}" for part, digest in model.items())


def counted(number: int, thing: str) -> str:
    """A number with its noun.

    >>> counted(1, "object"), counted(1200, "object")
    ('1 object', '1,200 objects')
    """
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"


def notes_of(answer: dict[str, Any], grid: Grid, *, is_usual_format: bool) -> list[str]:
    """The notes of an answer.

    Args:
        answer: Content of ``answer.json`` so far.
        grid: The scene's.
        is_usual_format: Whether the caller left the objects' formats to us.
    """
    return [
        *_about_place(answer, grid, is_usual_format=is_usual_format),
        *_about_masks(answer),
        *_about_windows(answer),
    ]


def _about_place(answer: dict[str, Any], grid: Grid, *, is_usual_format: bool) -> list[str]:
    if grid.crs is not None:
        return []
    why = f"Its CRS {grid.local!r} is local and counts as none" if grid.local else "It has no CRS"
    unit = (
        "pixels, columns and rows, rows growing downward"
        if grid.transform.is_identity
        else "the units of its own transform, like the mask"
    )
    notes = [f"The image is not placed on the ground. {why}: objects are in {unit}."]
    if "masks" in answer and is_usual_format:
        notes.append("GeoJSON is longitude and latitude: ask for it with --format geojson.")
    return notes


def _about_masks(answer: dict[str, Any]) -> list[str]:
    if "masks" not in answer:
        cut = answer["incomplete_masks"]
        why = f"{cut} mask groups were cut short" if cut else "the model asked for none"
        return [f"No mask was drawn: {why}."]
    objects = answer["objects"]
    least, removed = objects["min_area_px"], objects["removed"]
    notes = []
    if not any(mask["area_px"] for mask in answer["masks"]):
        notes.append("The masks are empty.")
    if least > 1:
        notes.append(
            f"Pieces of fewer than {least} pixels were left out ({removed:,} of them) and such "
            "holes filled; --min-area sets the number."
        )
    return notes


def _about_windows(answer: dict[str, Any]) -> list[str]:
    notes, counts = [], answer["tiles"]
    level, share = answer["granularity"], answer["granularity_confidence"]
    if share < DOUBTFUL:
        notes.append(
            f"The granularity is in doubt ({level}, probability {share:.2f}): another wording of "
            "the prompt may be looked at differently."
        )
    if skipped := counts.get("no data", 0):
        notes.append(f"{skipped} of {counts['count']} windows hold no data and were skipped.")
    if counts["failures"]:
        notes.append(
            f"{len(counts['failures'])} of {counts['count']} windows failed and are nodata in the "
            "mask; --resume asks them again."
        )
    if counts["count"] > 1:
        notes.append("Each window was asked on its own: words like 'the largest' hold within one.")
    return notes
