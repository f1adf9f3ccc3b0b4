"""Looks into the tables of a server's state."""

from sqlalchemy import Engine, text

from mmsrarec.serve.state.tables import metadata


def tables_hold(engine: Engine, word: str) -> list[str]:
    """Tables with a row that holds a word, in any column."""
    with engine.connect() as connection:
        return [
            table.name
            for table in metadata.sorted_tables
            if any(word in str(tuple(row)) for row in connection.execute(text(f"SELECT * FROM {table.name}")))
        ]
