"""Help: what each role does in this system, and how, as pages."""
