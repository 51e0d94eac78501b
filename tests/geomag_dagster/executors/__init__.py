"""Where steps run: real processes, locks and signals, with devices that need not exist."""
