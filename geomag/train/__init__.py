"""One training loop; the jobs differ in module, records and loss."""
