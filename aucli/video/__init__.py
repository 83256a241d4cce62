"""Video files in, batches of RGB frames out, each with its number and its true presentation time. Start: `reader`."""
