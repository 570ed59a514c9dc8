"""The agents: graphs of small steps that judge, and act only through the board and the gate."""
