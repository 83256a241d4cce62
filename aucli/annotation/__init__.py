"""Videos in, a table out. Start: `run`, which tells the story."""
