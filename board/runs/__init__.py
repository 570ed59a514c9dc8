"""Runs: beats of agents, claiming, timeouts, worker crashes."""
