"""Enrolment of a server: facts by bounded reads, and what is proposed from them."""
