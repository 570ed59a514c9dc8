"""Read files of many formats into blocks, in a bounded process."""
