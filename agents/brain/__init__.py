"""What decides for an agent: built-in rules, or a chat model with the rules as fallback."""
