"""What people and programs bring by mistake or on purpose: arguments, files and values for the hostile passes."""

import contextlib
import io
import json
import unicodedata
from pathlib import Path

from hypothesis import strategies as st

from mmsrarec.cli import commands

WORDS = (
    *("", " ", "-", "--", "-1", "0", "1", "2.5", "1e9", "nan", "-inf", "9" * 30, "1_0", "٣", "²", "None", "true"),
    *("null", "a,b", ",", ",,a,", "u1", "001", "1", "*", "[", "{}", '"', "'", "a=b", "=", "a.b=", "%s", "{0}"),
    *("$HOME", "--json", "\x1b[2J\x1b[31mred", "\u202egnirts", "粘土", "नमस्ते", "🔥", "\udce9", "\r\n", "a\nb", "\t"),
    *("\x85", "x" * 300, "x" * 5000, "c++", "sci-fi", "and", "the", "red", "mug,clay", "<script>", "../../etc"),
    *("CON", "a:b"),
)
PLACES = (
    "nowhere",
    ".",
    "..",
    "/",
    "~",
    "~no-such-user/x",
    "/dev/null",
    "/dev/null/x",
    "file",
    "file/x",
    "empty",
    "broken",
)
words = st.sampled_from(WORDS) | st.text(st.characters(exclude_characters="\0"), max_size=12)
places = st.sampled_from([*PLACES, "data", "x" * 300, "\udce9", "\x1b[2J"])

GOOD = """
name = "good"
data = "data"
[model]
name = "nowhere"
[retrieve]
embedding_size = 16
n_layers = 1
epochs = 1
[evaluate]
rows = ["popularity"]
splits = ["leave-one-out"]
negatives = 5
resamples = 100
"""

ITEMS = (
    *(b'{"item_id": "a", "title": "A"}\n',),
    *(b'{"item_id": "b", "title": "B", "description": "<b>b</b>", "image": "b.png"}\n', b'{"item_id": 7}\n'),
    *(b'{"item_id": null}\n', b"{}\n", b"[]\n", b"\n", b'"a"\n', b"{", b"\xff\xfe", b"\xef\xbb\xbf"),
    *(b'{"item_id": "\\ud800", "title": "\\u001b[2J"}\n', b"[" * 3000 + b"\n", b'{"item_id": "c", "title": NaN}\n'),
    *(b"\0", b'{"item_id": "d", "categories": [1, null]}\n', b'{"item_id": "e", "image": "../../etc/passwd"}\r'),
    *(b"9" * 5000,),
)
ROWS = (
    *(b"user_id,item_id,timestamp\n", b"user,item,time\n", b"u,a,1\n", b"u,b,2\n", b"v,a,3\n", b"v,b,1700000000\n"),
    *(b"\n", b"u,a,-5\n", b"u,a,1e400\n", b"u,a,nan\n", b"u,a,\n", b",a,1\n", b"u,,1\n", b"u,a\n", b"u,a,1,2\n"),
    *(b'"u,a,1\n', b"\r", b"\xff,a,1\n", b"u,zzz,1\n", b"u,a,99999999999999999999\n", b"u,a,2020-01-01\n", b"\0\n"),
    *(b"\xef\xbb\xbf", b"u;a;1\n", b"null,a,1\n", b"nan,a,2\n", b"u a b a\n", b"u\ta\t1\n", b'u,a,"1"\n'),
    *(b"\x1b[2J,a,1\n", b"x" * 5000 + b"\n"),
)
AMAZON = (
    *(b'{"user_id": "u", "parent_asin": "a", "timestamp": 1600000000000, "rating": 5}\n', b'{"user_id": "u"}\n'),
    *(b"{", b'{"reviewerID": "u", "asin": "a", "unixReviewTime": 1}\n', b'{"parent_asin": "a", "title": "A"}\n'),
    *(b"\x1f\x8b\x08", b'{"user_id": 1, "parent_asin": null, "timestamp": "x"}\n', b"[]\n", b"\xff\n"),
    *(b'{"asin": "a", "title": ["A"]}\n',),
)


def files(fragments: tuple[bytes, ...]) -> st.SearchStrategy[bytes]:
    """A file made of good and bad lines, or of bytes."""
    return st.lists(st.sampled_from(fragments), max_size=8).map(b"".join) | st.binary(max_size=40)


def obeyed(shown: str) -> set[str]:
    """Characters that a terminal may obey."""
    return {letter for letter in shown if unicodedata.category(letter) in ("Cc", "Cf", "Cs")} - set("\n\u200c\u200d")


def ends_well(arguments: list[str]) -> int:
    """Run a command line in this process, and see that it kept the promises of every command; its exit code."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = commands.call(arguments)
    answer, said = out.getvalue(), err.getvalue()
    complaints = [line for line in said.split("\n") if line.startswith("mmsrarec: ")]
    shown = f"{arguments}: {code}\n{said[-2000:]}"
    assert code in (0, 1, 2), shown
    assert "Traceback" not in said, shown
    assert "a fault of this program" not in said, shown
    assert not obeyed(said), shown
    assert not obeyed(answer), shown
    if code == 2:
        assert len(complaints) == 1, shown
        assert answer == "", shown
    elif code == 0:
        assert answer.strip(), shown
        if arguments[1:] and arguments[-1] == "--json" and not arguments[-2].startswith("--"):
            assert isinstance(json.loads(answer), dict), shown
    return code


def furnish(folder: Path) -> None:
    """The places that the words name, inside the current folder."""
    (folder / "file").write_text("nothing")
    (folder / "empty").mkdir()
    (folder / "broken").mkdir()
    (folder / "broken" / "items.jsonl").write_bytes(b'{"item_id": "a", "title": "\\u001b[2J"}\n')
    (folder / "broken" / "interactions.csv").write_bytes(b"user_id,item_id,timestamp\nu,a,1\nu,zzz,2\n")
    (folder / "broken" / "recipe.toml").write_text('name = "broken"\nsurprise = 1\n')
    (folder / "mine.toml").write_text('name = "mine"\ndata = "nowhere"\n')
    (folder / "good.toml").write_text(GOOD)
    (folder / "binary.toml").write_bytes(b"\xff\xfe\0")
    (folder / "deep.toml").write_text("a = " + "[" * 3000)
    (folder / "list.toml").write_text('name = ["x"]\ndata = 3\nmodel = "embedded"\nevaluate = []\n')
