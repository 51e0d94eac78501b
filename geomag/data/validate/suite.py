"""What must hold of a manifest (critical), and what is worth a look (warning, info)."""

from collections.abc import Iterator, Mapping
from typing import Any

from geomag.data.benchmarks import Benchmark, Task
from geomag.data.validate.expected import Expected
from geomag.data.validate.outcomes import Outcome, Severity, run_expectations
from geomag.data.validate.table import has_boxes, has_masks, manifest_columns

BOX_SLACK_PX = 32
"""A box may leave its image by this much before it blocks: RRSIS-D has images of 784 rows whose
boxes come from a frame of 800. Any overflow is a warning."""

_SAFE_PATH = r"^(?!/)(?!.*(?:^|/)\.\.(?:/|$))[^\\:]+$"
_CONTROL = r"[\x00-\x08\x0b-\x1f\x7f\u2028\u2029]"
_YES_NO = ("presence", "comp")


def run_suite(
    frame: Any, benchmark: Benchmark, expected: Expected, *, counts_bind: bool
) -> list[Outcome]:
    """Validate a manifest; the columns first, and nothing else if they are not as they should be.

    Args:
        frame: The manifest.
        benchmark: Decides which expectations apply.
        expected: Records per split, and per class where fixed.
        counts_bind: Whether another count blocks, or only warns.
    """
    import great_expectations.expectations as gxe

    names = list(manifest_columns(benchmark))
    columns = gxe.ExpectTableColumnsToMatchSet(
        column_set=names, exact_match=True, severity="critical"
    )
    outcomes = run_expectations(frame, [columns])
    if any(not outcome.is_met for outcome in outcomes):
        return outcomes
    rules = [
        *_count_rules(expected, "critical" if counts_bind else "warning"),
        *_common_rules(benchmark),
        *_label_rules(benchmark, frame["split"].value_counts().to_dict(), expected),
        *(_text_rules(benchmark) if benchmark.task not in (Task.ROC, Task.SCENE) else ()),
        *(_box_rules() if has_boxes(benchmark) else ()),
        *(_mask_rules(sorted(set(frame["split"]))) if has_masks(benchmark) else ()),
    ]
    return outcomes + run_expectations(frame, rules)


def _count_rules(expected: Expected, severity: Severity) -> Iterator[Any]:
    import great_expectations.expectations as gxe
    from great_expectations.expectations.row_conditions import Column

    for name, count in expected.counts.items():
        condition = Column("split").is_in(name.split("+"))
        yield gxe.ExpectTableRowCountToEqual(
            value=count, row_condition=condition, severity=severity
        )
    for kind, count in expected.kinds.items():
        condition = Column("kind") == kind
        yield gxe.ExpectTableRowCountToEqual(
            value=count, row_condition=condition, severity=severity
        )


def _common_rules(benchmark: Benchmark) -> Iterator[Any]:
    import great_expectations.expectations as gxe

    splits = ["train", "val", *benchmark.test_splits]
    shared: Severity = "info" if benchmark.shares_pictures else "critical"
    twins: Severity = "info" if benchmark.shares_pictures else "warning"
    yield gxe.ExpectTableRowCountToBeBetween(min_value=1, severity="critical")
    yield gxe.ExpectColumnValuesToBeUnique(column="ref_id", severity="critical")
    for column in ("ref_id", "path", "split", "image_md5"):
        yield gxe.ExpectColumnValuesToNotBeNull(column=column, severity="critical")
    yield gxe.ExpectColumnValuesToBeInSet(
        column="split", value_set=[str(s) for s in splits], severity="critical"
    )
    yield gxe.ExpectColumnValuesToMatchRegex(column="path", regex=_SAFE_PATH, severity="critical")
    for column in ("width", "height"):
        yield gxe.ExpectColumnValuesToBeBetween(column=column, min_value=1, severity="critical")
    yield gxe.ExpectColumnValuesToBeInSet(column="dtype", value_set=["uint8"], severity="critical")
    yield gxe.ExpectColumnValuesToBeInSet(column="bands", value_set=[3], severity="warning")
    yield gxe.ExpectColumnValuesToBeInSet(column="in_other_split", value_set=[0], severity=shared)
    yield gxe.ExpectColumnValuesToBeInSet(
        column="twin_in_other_split", value_set=[0], severity=twins
    )


def _label_rules(
    benchmark: Benchmark, rows: Mapping[str, int], expected: Expected
) -> Iterator[Any]:
    """Labels are in their set, and a split that is learned from or scored has more than one.

    Own data brings its classes, and may have a single one.
    """
    import great_expectations.expectations as gxe
    from great_expectations.expectations.row_conditions import Column

    judged = next((split for split in ("train", "test") if rows.get(split, 0) > 1), None)
    is_vqa = benchmark.task is Task.VQA
    yes_no = Column("kind").is_in(list(_YES_NO))
    if judged:
        condition = Column("split") == judged
        yield gxe.ExpectColumnUniqueValueCountToBeBetween(
            column="label",
            min_value=1 if len(expected.kinds) == 1 and not is_vqa else 2,
            row_condition=(condition & yes_no) if is_vqa else condition,
            severity="critical",
        )
    if is_vqa:
        yield gxe.ExpectColumnValuesToBeInSet(
            column="label", value_set=["yes", "no"], row_condition=yes_no, severity="critical"
        )
        yield gxe.ExpectColumnValuesToMatchRegex(
            column="label",
            regex=r"^\d+(?:m2)?$",
            row_condition=Column("kind").is_in(["count", "area"]),
            severity="warning",
        )
    if benchmark.task is Task.CAPTION:
        yield gxe.ExpectColumnValuesToBeInSet(
            column="n_answers", value_set=[5], severity="critical"
        )
    names = [*expected.kinds] if expected.origin == "own" else [*benchmark.classes]
    if names:
        yield gxe.ExpectColumnValuesToBeInSet(column="kind", value_set=names, severity="critical")


def _text_rules(benchmark: Benchmark) -> Iterator[Any]:
    import great_expectations.expectations as gxe

    longest = 20_000 if benchmark.task is Task.GCG else 2_000
    words = 400 if benchmark.task is Task.GCG else 100
    yield gxe.ExpectColumnValuesToMatchRegex(column="text", regex=r"\S", severity="critical")
    yield gxe.ExpectColumnValueLengthsToBeBetween(
        column="text", min_value=1, max_value=longest, severity="critical"
    )
    yield gxe.ExpectColumnValuesToNotMatchRegex(column="text", regex=_CONTROL, severity="warning")
    yield gxe.ExpectColumnMeanToBeBetween(
        column="n_words", min_value=1, max_value=words, severity="warning"
    )


def _box_rules() -> Iterator[Any]:
    import great_expectations.expectations as gxe

    for larger, smaller in (("x2", "x1"), ("y2", "y1")):
        yield gxe.ExpectColumnPairValuesAToBeGreaterThanB(
            column_A=larger, column_B=smaller, severity="critical"
        )
    yield gxe.ExpectColumnValuesToBeBetween(
        column="box_overflow", min_value=0, max_value=BOX_SLACK_PX, severity="critical"
    )
    yield gxe.ExpectColumnValuesToBeBetween(
        column="box_overflow", min_value=0, max_value=0, severity="warning"
    )
    # Boxes in [0, 1] read as pixels pass every test of one row; over the set they stay below 2.
    yield gxe.ExpectColumnMaxToBeBetween(column="x2", min_value=2, severity="critical")


def _mask_rules(splits: list[str]) -> Iterator[Any]:
    import great_expectations.expectations as gxe
    from great_expectations.expectations.row_conditions import Column

    yield gxe.ExpectColumnValuesToBeBetween(column="n_masks", min_value=1, severity="warning")
    yield gxe.ExpectColumnValuesToBeInSet(column="mask_ok", value_set=[1], severity="warning")
    yield gxe.ExpectColumnMeanToBeBetween(
        column="mask_share", min_value=0.0005, max_value=0.6, severity="warning"
    )
    for split in splits:
        yield gxe.ExpectColumnMaxToBeBetween(
            column="mask_area",
            min_value=1,
            row_condition=Column("split") == split,
            severity="critical",
        )
