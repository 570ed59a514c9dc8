"""The organization: institutions, servers, people, agents, and what each of them may do."""
