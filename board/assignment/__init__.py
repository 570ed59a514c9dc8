"""Every request ends with a person, a team or an agent: proposals, queue, reports, questions."""
