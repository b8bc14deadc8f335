"""From an image and a PSF to a catalogue."""
