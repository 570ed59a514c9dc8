"""Start page: what needs a person, and the cards that the person has chosen."""
