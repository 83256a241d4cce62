"""Data without a licence wall: renders, photographs with weak labels and codes by eye."""
