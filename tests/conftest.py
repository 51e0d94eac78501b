"""Settings of all tests."""

import pytest
from hypothesis import settings

# Two cores shared by parallel jobs stall now and then; a stall is no failure of the code.
settings.register_profile("no_deadline", deadline=None, max_examples=60)
settings.load_profile("no_deadline")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep a file's tests in one process, where they share what it sets up; long files first."""
    long = {item.path for item in items if item.get_closest_marker("integration")}
    items.sort(key=lambda item: item.path not in long)
    for item in items:
        if not item.get_closest_marker("xdist_group"):
            item.add_marker(pytest.mark.xdist_group(str(item.path)))
