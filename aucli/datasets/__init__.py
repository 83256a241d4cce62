"""Labelled faces: benchmarks as their owners distribute them, free data, folds, caches. Start: `readers.registry`."""
