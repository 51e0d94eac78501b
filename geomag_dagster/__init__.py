"""Dagster definitions: thin assets that run DVC stages and report what dvc.lock recorded."""
