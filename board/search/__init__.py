"""Search in documents: questions, which a worker answers, and the index of passages."""
