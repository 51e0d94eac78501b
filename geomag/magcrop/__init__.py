"""MagCrop (paper 3.2): granularity, heatmap (Eq 4), window, adjustment (Eq 2, 3)."""
