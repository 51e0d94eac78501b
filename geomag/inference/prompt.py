"""A person's words as a prompt: cleaned, cut to what fits, and what its masks are called."""

from dataclasses import dataclass, replace

from geomag.config.schema import PromptConfig
from geomag.data.benchmarks import Task
from geomag.data.prompts import PROBE, ProbePrompt, escape, evaluation_prompt
from geomag.data.prompts import subject as subject_of
from geomag.data.records import Record
from geomag.errors import GeoMagError

MAX_CHARACTERS = 4000
"""Most characters of a prompt before any tokenizer sees them; the model's tokens cut further."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """What the model is asked, and how that came out of what a person asked."""

    text: str
    """The prompt before LLaVA's turn markers; our own markers in it are escaped."""
    subject: str
    """Phrase that a mask is asked for, or the whole prompt."""
    notes: tuple[str, ...] = ()
    given: str = ""
    """The cleaned words before the wording of training was added; empty: they are ``text``."""
    task: Task | None = None
    """Task whose wording ``text`` has; None where it was not clear and the words stayed."""
    task_confidence: float = 0.0
    """Confidence of the task, in [0, 1]; 1 where the words themselves had the wording."""

    def probe(self, wording: ProbePrompt) -> str:
        """What the Eq 4 probe asks; only mask prompts have another wording.

        See protocols/model#probe.
        """
        if self.task is not Task.REFERRING:
            return self.text
        return PROBE[wording].format(task=self.text, x=self.subject)

    def noted(self, note: str) -> "Prompt":
        """The same prompt with one more note."""
        return replace(self, notes=(*self.notes, note))


def read_prompt(words: str) -> Prompt:
    """A prompt from a person's words; line ends stay, control characters and markers go.

    Raises:
        GeoMagError: If nothing is asked.

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
    return Prompt(text, text, tuple(notes))


def record_prompt(record: Record, config: PromptConfig, classes: tuple[str, ...] = ()) -> Prompt:
    """The prompt of a benchmark's record, in the one wording that evaluation uses.

    Args:
        record: Any task.
        config: Wording of scenes, decimals of boxes.
        classes: Display names of a scene set in index order.
    """
    text = evaluation_prompt(
        record, classes=classes, scene=config.scene, decimals=config.box_decimals
    )
    x = subject_of(record) if record.task is Task.REFERRING else text
    return Prompt(text, x, task=record.task, task_confidence=1.0)
