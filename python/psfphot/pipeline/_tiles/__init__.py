"""Images larger than memory, measured tile by tile."""
