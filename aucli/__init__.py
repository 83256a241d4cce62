"""aucli: annotate videos with facial action units, frame by frame, and retrain the model behind it."""

__version__ = "0.1.0"
