"""Who there is: institutions, servers, people, agents, and what each may do."""
