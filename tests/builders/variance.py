"""Correlations of two coders, the slow way."""

from __future__ import annotations


def anova(x: list[float], y: list[float]) -> tuple[float, float]:
    """ICC(A,1) and ICC(C,1) from a table of the two-way analysis of variance, cell by cell (McGraw and Wong 1996)."""
    rows = list(zip(x, y, strict=True))
    n, k = len(rows), 2
    grand = sum(a + b for a, b in rows) / (n * k)
    of_rows = [(a + b) / k for a, b in rows]
    of_coders = [sum(x) / n, sum(y) / n]
    ss_rows = k * sum((m - grand) ** 2 for m in of_rows)
    ss_coders = n * sum((m - grand) ** 2 for m in of_coders)
    ss_error = sum(
        (rows[i][j] - of_rows[i] - of_coders[j] + grand) ** 2 for i in range(n) for j in range(k)
    )  # fmt: skip
    msr, msc, mse = ss_rows / (n - 1), ss_coders / (k - 1), ss_error / ((n - 1) * (k - 1))
    return (msr - mse) / (msr + (k - 1) * mse + k * (msc - mse) / n), (msr - mse) / (msr + (k - 1) * mse)
