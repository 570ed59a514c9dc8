"""Rules of a site that bind agents and people: freezes, orders, limits, what is never done."""
