"""What is asked of a record, how close the model looks, and which part of a set it is in."""

from enum import StrEnum


class Task(StrEnum):
    """What is asked of one record."""

    REFERRING = "referring"
    """A phrase in, one mask out (Table 1)."""
    GCG = "gcg"
    """Grounded conversation generation: a description with a mask per phrase (Table 2)."""
    VQA = "vqa"
    """A question in, one word out (Table 3)."""
    ROC = "roc"
    """Referring object classification: a box in, a class name out (Table 4)."""
    CAPTION = "caption"
    """One sentence about the image (Table 5)."""
    SCENE = "scene"
    """One class name out of a list (Table 6)."""


class Granularity(StrEnum):
    """G of Eq 2: how close the task looks."""

    IMAGE = "image"
    REGION = "region"
    PIXEL = "pixel"


class Split(StrEnum):
    """Parts of a benchmark; RSVQA-HR's Test2 is ``test_phili``, as its files spell it."""

    TRAIN = "train"
    VAL = "val"
    TEST = "test"
    TEST_PHILI = "test_phili"
