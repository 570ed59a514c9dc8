"""Outside agents: started with a task and a short-lived token, watched, served, and ended."""
