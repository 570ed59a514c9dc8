"""Execution of tasks: plans, grants, remote commands and what they returned."""
