"""Issues: receiving them, comments and mentions, and who may see them."""
