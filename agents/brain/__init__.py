"""What thinks for an agent: the embedded brain, or a chat model with it as the fallback."""
