"""The steps of the graphs, one per file; each does one thing and says what it found."""
