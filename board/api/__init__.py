"""The board's interface for programs, in the dialect of GitHub's REST API."""
