"""Request forms: the service catalogue, its forms as code, and the requests filed with them."""
