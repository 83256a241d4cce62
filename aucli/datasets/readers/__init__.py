"""One file per benchmark, and the registry that lists them."""
