"""One image or GeoTIFF and a prompt: answer, mask, vectors."""
