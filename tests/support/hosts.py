"""What brokers say of hosts."""

from tides_bridge.database import Database

ARCSEC = 1 / 3600


def say(database: Database, name: str, mjd: float = 61001.0, **notes: float | str) -> None:
    """Let a broker say something of an object; two underscores stand for a point."""
    with database.transaction() as connection:
        for note, value in notes.items():
            column = "word" if isinstance(value, str) else "number"
            columns = f"survey, object_id, name, {column}, broker, mjd"
            connection.exec_driver_sql(
                f"INSERT INTO annotation ({columns}) VALUES ('ztf', %s, %s, %s, 'x', %s)",
                (name, note.replace("__", "."), value, mjd),
            )
