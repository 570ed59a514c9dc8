"""The page of the issue list: saved views, status board, changes of several issues, palette."""
