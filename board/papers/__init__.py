"""Papers of operation: plans, results, incident reports, checklists and monthly reports."""
