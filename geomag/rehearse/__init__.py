"""The whole line at real size on random weights and a few drawn records, nothing downloaded."""
