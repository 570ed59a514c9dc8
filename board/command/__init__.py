"""Korean commands: from a line that a person types to the structure that the board executes."""
