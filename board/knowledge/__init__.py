"""Documents: versions, review before publication, who may read them, and their passages."""
