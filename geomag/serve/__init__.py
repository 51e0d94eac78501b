"""The champion as a service: packed for MLflow, loaded by its alias, asked over loopback HTTP."""
