"""Training: losses, data, recipes, the trainer, linear evaluation and metrics."""
