"""What a prompt is about: its phrase, its box or its classes, read from words of any wording."""

import re
from decimal import ROUND_HALF_UP, Decimal

_POLITE = (
    r"(?:(?:please|kindly|can you|could you|would you|will you|help me|"
    r"i (?:want|need)(?: you to)?|to)\s+)*"
)
_VERB = (
    r"(?:segment|mark|mask|outline|highlight|delineate|trace|contour|isolate|extract|locate|"
    r"localize|find|show|select|draw|paint|detect|identify|indicate|point|cut|crop|carve|map|"
    r"circle|label|fill|separate|colou?r|sketch|overlay)(?:\s+(?:out|over|in|around|me|where))?\s+"
)
_DRAWN = (
    r"(?:(?:segmentation|binary|pixel)\s+)*(?:masks?|segmentation|outlines?|contours?|silhouette|"
    r"boundary|border|pixels?|extent|exact shape|shape)(?:\s+map)?\s+"
    r"(?:of|for|covering|on|that show)\s+"
)
_FILLER = re.compile(r"^(?:every pixel of|a line around|the region covered by)\s+", re.IGNORECASE)
_IMAGE = (
    r"(?:this|the|my)\s+(?:aerial\s+|satellite\s+|remote sensing\s+)?(?:image|picture|photo|scene)"
)
_TAILS = tuple(
    re.compile(rf"[,;]?\s+{tail}$", re.IGNORECASE)
    for tail in (
        rf"in {_IMAGE}",
        rf"from {_IMAGE}",
        r"(?:with|as|by|using) (?:a |an |the |its )?(?:\w+ )?(?:masks?|segmentation|outlines?)",
        r"and (?:give|return|draw|show|output) .*",
        r"for me",
        r"pixel by pixel",
        r"precisely",
        r"from the background",
        r"out of the background",
        r"(?:exactly )?along its (?:edge|border)",
        r"is",
        r"segmented",
        r"out along its border",
        r"with colou?r",
        r"and mark it",
    )
)
_INSTRUCTIONS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"^{_POLITE}(?:\w+\s+){{0,3}}?(?:the\s+|a\s+|its\s+)?{_DRAWN}(?P<x>.+)$",
        rf"^{_POLITE}{_VERB}(?P<x>.+)$",
        r"^\[(?:segment|refer|mask)\]\s*(?P<x>.+)$",
        r"^where(?:\s+exactly)? (?:is|are) (?P<x>[^?]+)\?.*(?:mask|segment|outline|pixels).*$",
    )
)
_OTHER_SENTENCE = re.compile(
    r"\?|^(?:what|which|where|when|who|why|how|is|are|do|does|did|can|could|describe|explain|tell|"
    r"give|list|count|compare|name|make|create|i|we|there|hello|hi)\b",
    re.IGNORECASE,
)
_NUMBER = r"\s*(\d*\.?\d+)\s*"
_BOX = re.compile(rf"\[{_NUMBER},{_NUMBER},{_NUMBER},{_NUMBER}\]")
_BEFORE_CLASSES = re.compile(r".*(?::|\b(?:from|out of|one of|among|between))\s+", re.I | re.S)


def phrase_of(text: str) -> str | None:
    """The phrase that a mask is asked for; None where no phrase stands out.

    >>> phrase_of("Please segment the red ship in this image.")
    'the red ship'
    >>> phrase_of("Give me the segmentation mask of the dam.")
    'the dam'
    >>> phrase_of("a small building next to the road")
    'a small building next to the road'
    >>> phrase_of("Is it drawn?")
    """
    asked = text.strip()
    for pattern in _INSTRUCTIONS:
        if match := pattern.match(asked):
            return _without_tails(match.group("x")) or None
    if _OTHER_SENTENCE.search(asked):
        return None
    return _without_tails(asked) or None


def _without_tails(phrase: str) -> str:
    before, phrase = "", _FILLER.sub("", phrase)
    while phrase != before:
        before = phrase
        phrase = phrase.strip().rstrip(".?!").rstrip()
        for tail in _TAILS:
            phrase = tail.sub("", phrase)
    return phrase


def box_in(text: str, *, decimals: int = 2) -> str | None:
    """The one box of a prompt as prompts give it, shares of the image's sides; None without.

    >>> box_in("What is in [0.1, .25, 0.5, 0.75]?")
    '[0.10, 0.25, 0.50, 0.75]'
    >>> box_in("What is in [133, 237, 684, 672]?")
    """
    boxes = _BOX.findall(text)
    if len(boxes) != 1:
        return None
    shares = [Decimal(value) for value in boxes[0]]
    x0, y0, x1, y1 = shares
    if max(shares) > 1 or x0 >= x1 or y0 >= y1:
        return None
    quantum = Decimal(1).scaleb(-decimals)
    return f"[{', '.join(str(share.quantize(quantum, ROUND_HALF_UP)) for share in shares)}]"


def classes_in(text: str) -> str | None:
    """The class names that a prompt lists, with commas between; None where it lists fewer than two.

    >>> classes_in("Choose the best label for this image: beach, bare land, port.")
    'beach, bare land, port'
    """
    match = _BEFORE_CLASSES.match(text.strip())
    if match is None:
        return None
    listed = text.strip()[match.end() :].split(".")[0].rstrip("?! ")
    names = [re.sub(r"^(?:or|and)\s+", "", name.strip()) for name in listed.split(",")]
    return ", ".join(names) if len(names) > 1 and all(names) else None
