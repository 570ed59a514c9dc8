"""Agents: graphs of small steps that decide, and act only through the board and the gate."""
