"""The board's interfaces for programs: GitHub's dialect of REST, and the one of outside agents."""
