"""Dagster, DVC and MLflow on real instances."""
