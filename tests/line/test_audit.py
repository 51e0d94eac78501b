"""What each stage's command really reads is what `dvc.yaml` says it depends on; edits are seen."""

import pytest

from geomag_dagster.stages import read_stages
from tests.line.edits import random_edits
from tests.line.judged import WRONG, changed_stages, declared, judged
from tests.line.project import CHECKOUT
from tests.line.watched import undeclared

pytestmark = pytest.mark.integration
STAGES = read_stages(CHECKOUT)


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_reads_and_imports_nothing_that_it_does_not_depend_on(read, name):
    assert any(file.startswith("geomag/") for file in read[name].files), "it was not watched"
    assert read[name].settings
    assert undeclared(STAGES[name], read[name]) == []


def test_of_ten_random_edits_none_leaves_a_stage_that_read_it_up_to_date(copy, read):
    assert changed_stages(copy.root) == set()
    for edit in random_edits(copy.root, 10, seed=0):
        with edit.applied(copy.root):
            changed = changed_stages(copy.root)
        assert changed == declared(edit, STAGES), edit
        verdict = judged(edit, (copy.root / edit.file).read_bytes(), read, changed)
        assert verdict not in WRONG, f"{edit}: {verdict}"
    assert changed_stages(copy.root) == set()
