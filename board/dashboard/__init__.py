"""Dashboard cards: one file each behind the `Card` port, listed in `registry.CARDS`."""
