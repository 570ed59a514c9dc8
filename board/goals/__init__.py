"""Goals: filing, breakdown into a plan of issues, decisions, progress and pages."""
