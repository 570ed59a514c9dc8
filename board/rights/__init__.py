"""Rights: who gave which to whom, and the second person that some of them need."""
