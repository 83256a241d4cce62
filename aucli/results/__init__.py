"""What is done with a finished table."""
