"""Data without a licence wall: renders, photographs coded by eye and labelled by a teacher."""
