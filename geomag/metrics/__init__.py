"""Pure scores of Tables 1-7: numbers in, numbers out; no torch."""
