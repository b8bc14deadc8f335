"""Frames made like real ones, and what a catalogue of them is worth."""
