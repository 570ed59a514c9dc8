"""Remote console: one action of the catalogue on many servers at once, through the gate."""
