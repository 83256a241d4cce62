"""A film with what its table says drawn into it."""
