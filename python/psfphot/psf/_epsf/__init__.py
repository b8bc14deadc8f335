"""Building effective PSFs from stars."""
