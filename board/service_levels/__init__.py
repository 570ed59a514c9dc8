"""Service levels: clocks on the Korean business calendar, their warnings and their report."""
