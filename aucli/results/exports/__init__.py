"""A finished table, or the episodes in it, as files of other programs: a module a target, see `registry`."""
