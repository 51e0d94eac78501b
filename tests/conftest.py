"""Settings of all tests."""

from hypothesis import settings

# Two cores shared by parallel jobs stall now and then; a stall is no failure of the code.
settings.register_profile("no_deadline", deadline=None, max_examples=60)
settings.load_profile("no_deadline")
