"""How many images of which split and size the sample draws; a smaller scale only truncates.

Image ``i`` of a benchmark is the same picture, with the same id and split, at every scale.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from geomag.data.benchmarks import Split
from geomag.errors import ConfigError

REVISION = 1
"""Raise it when a writer or a drawing changes what the sample holds."""

_OCCURRENCES = 2
"""How often every split occurs at least, so that the quirks of each show at any scale."""

_TRAIN, _VAL, _TEST, _PHILI = Split.TRAIN, Split.VAL, Split.TEST, Split.TEST_PHILI


@dataclass(frozen=True, slots=True)
class Plan:
    """Size of one benchmark at scale 1."""

    side_px: int
    """Width and height of an image."""
    shares: Mapping[Split, int]
    """Images per split; per class where the benchmark is made of classes."""

    def splits(self, scale: float) -> list[Split]:
        """The split of image 0, 1, 2 ...: evenly interleaved, exact at scale 1.

        >>> "".join(s[1] for s in Plan(64, {_TRAIN: 6, _VAL: 1, _TEST: 3}).splits(1.0))
        'rerraerrer'
        """
        return self._prefix(scale, _OCCURRENCES)

    def per_class(self, scale: float) -> list[Split]:
        """The same for one class of a benchmark made of classes: every split occurs once."""
        return self._prefix(scale, 1)

    def _prefix(self, scale: float, occurrences: int) -> list[Split]:
        total = sum(self.shares.values())
        order = interleaved(self.shares, max(scaled(total, scale), total))
        short = next(
            n
            for n in range(1, len(order) + 1)
            if n == total or all(order[:n].count(split) >= occurrences for split in self.shares)
        )
        return order[: max(short, scaled(total, scale))]


def scaled(count: int, scale: float) -> int:
    """``count`` times ``scale``, rounded, at least 1.

    Raises:
        ConfigError: If ``scale`` is not a positive number of sensible size.
    """
    if not 0 < scale <= 20:
        raise ConfigError("data.scale", str(scale), "a number in (0, 20]")
    return max(1, round(count * scale))


def interleaved(shares: Mapping[Split, int], count: int) -> list[Split]:
    """``count`` splits in which every prefix keeps the shares as well as whole numbers can."""
    total = sum(shares.values())
    given = dict.fromkeys(shares, 0)
    order: list[Split] = []
    for position in range(1, count + 1):
        # Integers: the split that is furthest behind its share, the first of equals.
        behind = max(shares, key=lambda s: shares[s] * position - given[s] * total)
        given[behind] += 1
        order.append(behind)
    return order


PLANS: dict[str, Plan] = {
    "rrsis_d": Plan(448, {_TRAIN: 700, _VAL: 60, _TEST: 140}),
    "refsegrs": Plan(288, {_TRAIN: 100, _VAL: 14, _TEST: 30}),
    "geopixeld": Plan(384, {_TRAIN: 300, _TEST: 70}),
    "dior_rsvg": Plan(448, {_TRAIN: 360}),
    "rsvqa_lr": Plan(256, {_TRAIN: 160, _VAL: 20, _TEST: 40}),
    "rsvqa_hr": Plan(352, {_TRAIN: 160, _VAL: 20, _TEST: 40, _PHILI: 30}),
    "ucm_captions": Plan(256, {_TRAIN: 8, _VAL: 1, _TEST: 2}),
    "sydney_captions": Plan(320, {_TRAIN: 16, _VAL: 2, _TEST: 4}),
    "aid": Plan(320, {_TEST: 5}),
    "resisc45": Plan(256, {_TEST: 4}),
}
