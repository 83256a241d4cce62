"""Aligned, labelled faces on disk, as `prepare` writes and training reads them."""
