"""One executor per action: each carries a command out through a use case of the board."""
