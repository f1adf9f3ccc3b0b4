"""Queries to real databases: SQLite, and PostgreSQL where it is installed."""

import gc
import sqlite3
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import postgres
import pytest
from source_tables import opened, records, values

from mmsrarec.data.importers.formats import format_by_name, format_of
from mmsrarec.data.importers.source import ReadOptions, Source
from mmsrarec.data.importers.sources import sql
from mmsrarec.errors import DataError, MissingDependencyError

sqlalchemy = pytest.importorskip("sqlalchemy", reason="SQL needs the extra sql")
QUERY = "SELECT buyer AS user_id, sku AS item_id, at AS timestamp, stars AS rating FROM orders ORDER BY at, id"
ITEMS_QUERY = "SELECT sku AS item_id, name AS title FROM products ORDER BY sku"


@pytest.fixture
def shop(tmp_path: Path) -> str:
    database = sqlite3.connect(tmp_path / "shop.db")
    with database:
        database.execute("CREATE TABLE orders (id INTEGER, buyer INTEGER, sku TEXT, at TEXT, stars REAL, photo BLOB)")
        rows = [
            (1, 7, "0012", "2023-11-14 22:13:20", 4.5, b"x"),
            (2, 7, "13", "2023-11-15T00:00:00+09:00", None, b"x"),
            (3, None, "0012", "2023-11-16", 1.0, b"x"),
        ]
        database.executemany("INSERT INTO orders VALUES (?, ?, ?, ?, ?, ?)", rows)
        database.execute("CREATE TABLE products (sku TEXT, name TEXT)")
        database.executemany("INSERT INTO products VALUES (?, ?)", [("0012", "Café: 10:30"), ("13", None)])
    database.close()
    return f"sqlite:///{tmp_path / 'shop.db'}"


@pytest.fixture(scope="module")
def postgres_url() -> Iterator[str]:
    with postgres.server() as url:
        engine = sqlalchemy.create_engine(sql._url(url, sqlalchemy))
        with engine.begin() as connection:
            for statement in (
                "CREATE TABLE orders (id bigserial, buyer uuid, sku text, at timestamptz, day timestamp, stars real)",
                "CREATE TABLE products (sku text, name text, tags text[], about jsonb, cost numeric)",
                "INSERT INTO products VALUES ('0012', 'Café', ARRAY['Home','Clocks'], '{\"wood\": \"oak\"}', 12.50)",
                "INSERT INTO orders (buyer, sku, at, day, stars) SELECT "
                "('00000000-0000-0000-0000-00000000000'||(i%3))::uuid, "
                "'0012', timestamptz '2023-11-14 22:13:20+00' + i * interval '1 second', "
                "timestamp '2023-11-14 22:13:20', 4.5 FROM generate_series(0, 11999) i",
            ):
                connection.exec_driver_sql(statement)
        engine.dispose()
        yield url


def read(url: str, query: str = QUERY, items_query: str | None = None) -> Source:
    return format_by_name("sql").read(url, ReadOptions(query=query, items_query=items_query))


def test_sqlite_gives_text_that_keeps_zeros_and_zones(shop: str) -> None:
    source = opened("sql", shop, query=QUERY, items_query=ITEMS_QUERY + ";")
    assert values(source.interactions, "user_id", "item_id", "timestamp", "rating") == [
        ("7", "0012", "2023-11-14 22:13:20", "4.5"),
        ("7", "13", "2023-11-15T00:00:00+09:00", ""),
        ("", "0012", "2023-11-16", "1.0"),
    ]
    assert records(source.items) == [{"item_id": "0012", "title": "Café: 10:30"}, {"item_id": "13", "title": None}]
    assert (source.name, source.unknown_items) == ("shop", "refuse")


def test_only_the_columns_that_are_asked_for_are_read(shop: str) -> None:
    table = read(shop).interactions
    (batch,) = table.read(["item_id"])  # type: ignore[union-attr]
    assert batch.rows.columns == ["item_id"]
    assert batch.lines.to_list() == [1, 2, 3]


def test_a_changed_database_changes_no_open_source(shop: str, tmp_path: Path) -> None:
    source = read(shop)
    with sqlite3.connect(tmp_path / "shop.db") as database:
        database.execute("DELETE FROM orders")
    assert len(records(source.interactions)) == 3
    paths = source.files
    assert all(path.is_file() for path in paths)
    del source
    gc.collect()
    assert not any(path.exists() for path in paths)  # the copy goes with the source


def test_a_query_that_gives_nothing_has_columns_and_no_rows(shop: str) -> None:
    source = read(shop, QUERY.replace("FROM orders", "FROM orders WHERE stars > 9"))
    assert source.interactions.columns == ("user_id", "item_id", "timestamp", "rating")  # type: ignore[union-attr]
    assert records(source.interactions) == []
    assert source.items is None


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("SELECT * FROM basket", "no such table: basket"),
        ("DELETE FROM orders", "readonly|gives no rows"),
        ("SELECT buyer AS a, sku AS a FROM orders", "gives the column a twice"),
        ("SELECT photo FROM orders", "the column photo holds bytes: leave it out of the query"),
        ("SELECT", "syntax error|incomplete input"),
    ],
)
def test_a_bad_query_is_one_line_and_changes_nothing(shop: str, tmp_path: Path, query: str, reason: str) -> None:
    with pytest.raises(DataError, match=reason) as error:
        read(shop, query)
    assert "\n" not in str(error.value)
    with sqlite3.connect(tmp_path / "shop.db") as database:
        assert database.execute("SELECT count(*) FROM orders").fetchone() == (3,)


def test_a_database_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.db is not a file"):
        read(f"sqlite:///{tmp_path / 'none.db'}")
    assert not (tmp_path / "none.db").exists()


def test_a_query_is_needed(shop: str) -> None:
    with pytest.raises(DataError, match="a database needs a query: --query"):
        format_by_name("sql").read(shop, ReadOptions())


def test_places_that_are_no_database_are_not_recognised() -> None:
    assert format_of("auto", "postgresql+psycopg://h/d").name == "sql"
    assert not sql.recognises("https://example.org/shop.db")
    assert not sql.recognises("shop.db")
    with pytest.raises(DataError, match="SOURCE is no URL of a database"):
        read("shop.db")


def test_without_the_package_the_message_says_what_to_install(shop: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "sqlalchemy", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'mmsrarec\[sql\]'"):
        read(shop)


def test_without_a_driver_the_message_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match="PostgreSQL needs a driver"):
        read("postgresql://h/d")


def test_postgres_streams_many_rows_in_the_order_of_utc(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql, "BATCH_ROWS", 5000)
    source = opened("sql", postgres_url, query=QUERY)
    assert len(source.files) == 3
    rows = values(source.interactions, "user_id", "item_id", "timestamp", "rating")
    assert len(rows) == 12_000
    assert rows[0][:2] == ("00000000-0000-0000-0000-000000000000", "0012")
    assert rows[0][3] == "4.5"
    seconds = [datetime.fromisoformat(str(row[2])).timestamp() for row in rows]  # with a zone, whatever the server's is
    assert (seconds[0], seconds[-1]) == (1_700_000_000, 1_700_011_999)


def test_postgres_keeps_lists_and_objects_of_items(postgres_url: str) -> None:
    source = read(postgres_url, QUERY + " LIMIT 1", "SELECT sku AS item_id, tags, about, cost FROM products")
    assert records(source.items) == [
        {"item_id": "0012", "tags": ["Home", "Clocks"], "about": {"wood": "oak"}, "cost": "12.50"}
    ]


def test_postgres_takes_casts_and_percent_signs(postgres_url: str) -> None:
    query = "SELECT buyer::text AS u, sku, extract(epoch FROM day)::bigint AS t FROM orders WHERE sku LIKE '%2' LIMIT 1"
    assert values(read(postgres_url, query).interactions, "sku", "t") == [("0012", "1700000000")]


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("SELECT * FROM basket", 'relation "basket" does not exist'),
        ("DELETE FROM orders RETURNING *", 'syntax error at or near "DELETE"'),
        ("SELECT nextval('orders_id_seq') FROM orders", r"cannot execute nextval\(\) in a read-only transaction"),
    ],
)
def test_postgres_says_why_in_one_line_without_the_password(
    postgres_url: str, query: str, reason: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(DataError, match=reason) as error:
        read(postgres_url, query)
    assert "s3cret" not in str(error.value)
    assert "\n" not in str(error.value)
    assert capfd.readouterr().err == ""  # SQLAlchemy's own log of the cursor that cannot be closed


def test_a_wrong_password_is_one_line_without_it(postgres_url: str) -> None:
    with pytest.raises(DataError, match="password authentication failed") as error:
        read(postgres_url.replace("s3cret", "wr0ng"))
    assert "wr0ng" not in str(error.value)


def test_nobody_answers(postgres_url: Any) -> None:
    with pytest.raises(DataError, match=r"127\.0\.0\.1:1"):
        read("postgresql://shop:s3cret@127.0.0.1:1/postgres")
