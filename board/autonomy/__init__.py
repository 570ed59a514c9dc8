"""What agents that only observe would have done, compared with what people did."""
