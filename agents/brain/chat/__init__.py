"""Chat brain: prompts, clients of model servers, and parsers that trust no answer."""
