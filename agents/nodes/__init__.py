"""Steps of the graphs, one per file; each does one thing and reports what it found."""
