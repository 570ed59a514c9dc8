"""Goals: split a goal into pieces, resolve servers and deadlines, limit its scope."""
