"""Which records are answered together, and which of these batches a shard has.

The last bits of an answer depend on the batch that it is computed in, so batches are a function of
all records and the settings, whoever computes them: a shard, or a run that was killed, computes
whole batches of the same plan, and the bytes are those of one undisturbed pass.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from geomag.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Shard:
    """Number ``number`` of ``count`` parts of a benchmark's batches, counted from 1."""

    number: int = 1
    count: int = 1

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """The shard that ``--shard`` names.

        Raises:
            ConfigError: If it is not ``i/n`` with 1 <= i <= n.

        >>> Shard.parse("2/4")
        Shard(number=2, count=4)
        """
        number, _, count = text.partition("/")
        if number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count):
            return cls(int(number), int(count))
        raise ConfigError("--shard", repr(text), "i/n with 1 <= i <= n, as 2/4")

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    def share(self, batches: Sequence[list[int]]) -> Sequence[list[int]]:
        """A shard's own batches, in a row, so that most images are read by one shard alone.

        >>> [Shard(i, 2).share([[0], [1], [2]]) for i in (1, 2)]
        [[[0]], [[1], [2]]]
        """
        first, last = (len(batches) * n // self.count for n in (self.number - 1, self.number))
        return batches[first:last]


WHOLE = Shard()
"""All batches."""


def plan_batches(images: Sequence[str], lengths: Sequence[int], size: int) -> list[list[int]]:
    """Batches of records as indices, each record once.

    A batch is filled by questions about one image where that has so many; what is left of each
    image stays together and joins others whose prompts are as long, for a batch is padded to its
    longest prompt.

    Args:
        images: Image of each record; records of an image stand together (`by_image`).
        lengths: Characters of each record's prompt.
        size: Records of a batch.

    >>> plan_batches(["a", "a", "a", "b", "c", "d"], [3, 1, 2, 9, 1, 8], size=2)
    [[1, 2], [4, 0], [5, 3]]
    """
    groups: dict[str, list[int]] = {}
    for index, image in enumerate(images):
        groups.setdefault(image, []).append(index)
    full: list[list[int]] = []
    rest: list[list[int]] = []
    for group in groups.values():
        ordered = sorted(group, key=lambda index: lengths[index])
        whole = len(ordered) - len(ordered) % size
        full += [ordered[start : start + size] for start in range(0, whole, size)]
        rest += [ordered[whole:]] if whole < len(ordered) else []
    rest.sort(key=lambda left: lengths[left[-1]])
    joined = [index for left in rest for index in left]
    return full + [joined[start : start + size] for start in range(0, len(joined), size)]
