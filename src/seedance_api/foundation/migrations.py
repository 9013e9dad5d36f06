"""Migrations: numbered SQL, forward only, one process at a time."""

from pathlib import Path

import psycopg
from yoyo import get_backend, read_migrations

from seedance_api.foundation.db import MIGRATION, libpq_url

FOLDER = Path(__file__).with_name("migrations")
_LOCK = 0x5EEDA9CE
"""Our advisory lock's number. yoyo's own lock is a row, which a killed process would leave behind for ever."""


def migrate(url: str) -> list[str]:
    """Apply what is missing and return its names. Others that start at the same time wait here."""
    url = libpq_url(url, MIGRATION)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))
        backend = get_backend(url.replace("postgresql://", "postgresql+psycopg://", 1))
        try:
            missing = backend.to_apply(read_migrations(str(FOLDER)))
            names = [migration.id for migration in missing]
            backend.apply_migrations(missing)
        finally:
            backend.connection.close()
        return names
