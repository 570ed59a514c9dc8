"""Page kit: rendering, session, forms, errors and security headers of server-rendered pages."""
