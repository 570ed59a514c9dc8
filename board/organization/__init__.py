"""Organization: chart revisions, agents and their notebooks, hand-over, assignment candidates."""
