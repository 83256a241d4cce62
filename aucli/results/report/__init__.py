"""A page about a whole study: one HTML file that opens offline."""
