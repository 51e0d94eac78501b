"""The network: VLM with [SEG] tokens, SAM2 encoder, text projection, pixel decoder (Eq 1)."""
