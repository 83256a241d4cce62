"""Training: recipes, plan, batches of views, losses, the trainer, heads, decisions and the model's card."""
