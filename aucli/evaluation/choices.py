"""What can be chosen in an evaluation, in words. Imports nothing heavy: the command line's help knows them at once."""

from __future__ import annotations

from typing import Literal

LostFaces = Literal["negative", "leave_out"]
"""Frames without a face count as predicted absent, or not at all."""

Format = Literal["table", "json", "csv", "latex"]
"""How scores are written."""

Metric = Literal["f1", "accuracy", "roc_auc", "pr_auc", "kappa", "free_kappa", "mcc", "f1_balanced"]
"""Which score a table of folds shows; `aucli.evaluation.values.METRICS` says what each is."""
