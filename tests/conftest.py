"""Settings of all tests."""

import pytest
from hypothesis import settings

# Two cores shared by parallel jobs stall now and then; a stall is no failure of the code.
settings.register_profile("no_deadline", deadline=None, max_examples=60)
settings.load_profile("no_deadline")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with long tests first: at the end no core waits for another one's last file."""
    long = {item.path for item in items if item.get_closest_marker("integration")}
    items.sort(key=lambda item: item.path not in long)
