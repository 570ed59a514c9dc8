"""Configuration of Apache Superset beside GUARDiA: no Redis, no Celery, no internet."""

import os

SECRET_KEY = os.environ["SUPERSET_SECRET_KEY"]
SQLALCHEMY_DATABASE_URI = os.environ["SUPERSET_DATABASE_URI"]
# Off only where nothing but this host can reach it; behind a proxy with TLS, leave the default.
TALISMAN_ENABLED = os.environ.get("SUPERSET_TALISMAN", "true") == "true"
BABEL_DEFAULT_LOCALE = "ko"
LANGUAGES = {"ko": {"flag": "kr", "name": "한국어"}, "en": {"flag": "us", "name": "English"}}
