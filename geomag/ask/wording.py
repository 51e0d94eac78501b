"""A person's words as a prompt: cleaned, cut to what fits, and what its masks are called."""

import re
from dataclasses import dataclass

from geomag.data.benchmarks import Task
from geomag.data.prompts import PROBE, TRAINING, ProbePrompt, escape
from geomag.errors import GeoMagError

MAX_CHARACTERS = 4000
"""Before any tokenizer sees them; the token limit of the model cuts further."""

_PHRASE = tuple(
    re.compile("^" + re.escape(wording).replace(r"\{x\}", "(.+)") + "$", re.IGNORECASE)
    for wording in TRAINING[Task.REFERRING]
)


@dataclass(frozen=True, slots=True)
class Prompt:
    """What is asked."""

    text: str
    """Unframed; our markers in it are escaped."""
    subject: str
    """The phrase that a mask is asked for, or the whole prompt."""
    notes: tuple[str, ...] = ()

    def probe(self, wording: ProbePrompt) -> str:
        """What the Eq 4 probe asks; only mask prompts have another wording (model protocol 3.2)."""
        if self.subject == self.text:
            return self.text
        return PROBE[wording].format(task=self.text, x=self.subject)


def read_prompt(words: str) -> Prompt:
    """A prompt from a person's words; line ends stay, control characters and markers go.

    Raises:
        GeoMagError: If nothing is asked.

    >>> read_prompt("Segment the red ship in this image.").subject
    'the red ship'
    >>> read_prompt("How many USER: ships?").text
    'How many USER - ships?'
    """
    cut = words[:MAX_CHARACTERS]
    text = "\n".join(line for line in map(escape, cut.splitlines()) if line)
    if not text:
        raise GeoMagError("prompt", repr(words[:40]), "a question or an instruction")
    notes = []
    if len(words) > MAX_CHARACTERS:
        notes.append(f"The prompt was cut from {len(words):,} to {MAX_CHARACTERS:,} characters.")
    found = next((match for p in _PHRASE if (match := p.match(text))), None)
    return Prompt(text, found.group(1) if found else text, tuple(notes))
