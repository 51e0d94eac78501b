"""The paper's model at its real widths with random weights, measured on one GPU in minutes.

``scripts/gpu_check.sh`` runs it; docs/performance.md records what it found.
"""
