"""Rendered faces with known action units."""
