"""SSH transport: connections, pooling, and commands that never outlive their channel."""
