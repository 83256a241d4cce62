"""Where training pictures come from: a file per source."""
