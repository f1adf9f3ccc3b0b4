"""Verbs that ask a finished run: recommend to one or to many, and explain."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from mmsrarec.cli.app import verb
from mmsrarec.cli.formats.id_tables import check_ending, read_user_ids, write_table
from mmsrarec.cli.formats.text_format import answers, reasons
from mmsrarec.cli.options import Data, Device, History, HistoryFile, Less, More, RunFolder, User, read_shard
from mmsrarec.core.progress import Progress
from mmsrarec.core.terminal import remark, remark_all
from mmsrarec.errors import MmsrarecError

if TYPE_CHECKING:  # brings torch along
    from mmsrarec.runs.answers.recommendations import Recommendations


ALL = "all"
"""In the place of a file of user ids: everybody."""


@verb("recommend", people=answers)
def recommend(
    run: RunFolder,
    user: User = None,
    users: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|all",
            help="Many: a file of user ids, one a line, or .csv, .jsonl, .parquet; or all, for everybody in the data "
            "(./all is a file of that name). Needs --out.",
        ),
    ] = None,
    history: History = None,
    history_file: HistoryFile = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="With --users: the table to write, .parquet, .csv or .jsonl by its ending. A call that was stopped "
            "goes on where it was.",
        ),
    ] = None,
    shard: Annotated[
        str | None,
        typer.Option(metavar="I/N", help="With --users: the I-th of N shares only; a later call without joins them."),
    ] = None,
    processes: Annotated[
        int,
        typer.Option(
            min=1,
            help="With --users: how many processes answer side by side, each of which loads the model. Two on two "
            "cores pay where the language model ranks.",
        ),
    ] = 1,
    ray: Annotated[
        bool,
        typer.Option(
            "--ray",
            help="With --users: the processes are workers of Ray, on this machine or on the cluster that RAY_ADDRESS "
            "names. Another one takes up what a killed one had not finished.",
        ),
    ] = False,
    k: Annotated[int, typer.Option(min=1, help="How many items.")] = 10,
    more: More = None,
    less: Less = None,
    reasons: Annotated[bool, typer.Option(help="Measure what carried each item: more than twice the time.")] = True,
    allow_seen: Annotated[
        bool | None,
        typer.Option("--allow-seen/--no-seen", help="Recommend what they consumed before too, or never; as evaluated."),
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Refuse a history that holds an unknown item.")] = False,
    data: Data = None,
    device: Device = None,
) -> dict[str, Any]:
    """What a user, many users, or someone with the given history would choose next."""
    preferences = _preferences(more, less)
    if users is not None or out is not None:
        if users is None or out is None or not user is history is history_file is None:
            raise MmsrarecError("--users FILE and --out FILE go together, without --user and --history")
        how = {"k": k, "reasons": reasons, "allow_seen": allow_seen, **preferences}
        if processes > 1 or ray:
            if shard is not None:
                raise MmsrarecError("--processes and --shard do not go together: each process answers a share itself")
            answer = _on_ray if ray else _in_processes
            answer(run, users, out, processes, data, device, how)
        return _to_file(run, users, out, read_shard(shard), data, device, how)
    if shard is not None or processes > 1 or ray:
        option = "--shard I/N is a share" if shard is not None else "--processes N and --ray share the work"
        raise MmsrarecError(f"{option} of many: it goes with --users and --out")
    who = _who(user, history, history_file)
    from mmsrarec.runs.recommender import Recommender

    recommender = Recommender.load(run, data, device)
    who = _split_history(who, history, recommender)
    answers_of = cast("Callable[..., Recommendations]", recommender.recommend)  # of one person: no table
    recommendations = answers_of(**who, k=k, **preferences, reasons=reasons, allow_seen=allow_seen, strict=strict)
    notes, left_out = [*recommender.notes, *recommendations.notes], recommendations.left_out
    return {**who, **preferences, "left_out": left_out, "notes": notes, "recommendations": recommendations}


@verb("explain", people=reasons)
def explain(
    run: RunFolder,
    item: Annotated[str, typer.Option(help="The item to explain.")],
    user: User = None,
    history: History = None,
    history_file: HistoryFile = None,
    more: More = None,
    less: Less = None,
    data: Data = None,
    device: Device = None,
) -> Any:
    """Why an item is, or is not, recommended to a user: what spoke for it and against it, each left out in turn."""
    who, preferences = _who(user, history, history_file), _preferences(more, less)
    from mmsrarec.runs.recommender import Recommender

    recommender = Recommender.load(run, data, device)
    for note in recommender.notes:
        remark(note)
    return recommender.explain(**_split_history(who, history, recommender), item=item, **preferences)


def _to_file(
    run: Path,
    users: str,
    out: Path,
    shard: tuple[int, int] | None,
    data: Path | None,
    device: str | None,
    how: dict[str, Any],
) -> dict[str, Any]:
    """Write the recommendations for many users to a file; `how` goes to `Recommender.answer_function`."""
    check_ending(out)
    ids = None if users == ALL else read_user_ids(Path(users))
    from mmsrarec.runs.batch_file import recommend_file
    from mmsrarec.runs.recommender import Recommender

    say = Progress()
    say(f"opening {run}")
    recommender = Recommender.load(run, data, device, late=True)  # joining parts needs no language model
    remark_all(recommender.notes)
    return recommend_file(recommender, ids, out, write_table, say, shard, **how)


def _in_processes(
    run: Path, users: str, out: Path, processes: int, data: Path | None, device: str | None, how: dict[str, Any]
) -> None:
    """Answer the users in several processes, into parts of the file."""
    check_ending(out)
    from mmsrarec.runs.answers.batch_processes import answer_shares

    command = ["recommend", str(run), "--users", users, "--out", str(out), "--k", str(how["k"])]
    command += ["--reasons" if how["reasons"] else "--no-reasons"]
    if how["allow_seen"] is not None:
        command += ["--allow-seen" if how["allow_seen"] else "--no-seen"]
    command += [part for name in ("more", "less") for word in how.get(name, ()) for part in (f"--{name}", word)]
    command += [
        part for name, value in (("--data", data), ("--device", device)) if value for part in (name, str(value))
    ]
    answer_shares(command, processes)


def _on_ray(
    run: Path, users: str, out: Path, processes: int, data: Path | None, device: str | None, how: dict[str, Any]
) -> None:
    """Answer the users by workers of Ray, into parts of the file."""
    check_ending(out)
    from mmsrarec.pipeline.ray_shares import RunSource, answer_shares_on_ray

    ids = None if users == ALL else read_user_ids(Path(users))
    answer_shares_on_ray(RunSource(run, data, device), ids, out, processes, Progress(), **how)


def _who(user: str | None, history: list[str] | None, file: Path | None) -> dict[str, Any]:
    """Whom the question is about; a history as it was typed."""
    if sum(value is not None for value in (user, history, file)) != 1:
        raise MmsrarecError("say for whom: --user U, --history A,B,C, or --history-file FILE (one of them)")
    if file is not None:
        try:
            text = file.read_text(encoding="utf-8-sig")
        except OSError as error:
            raise MmsrarecError(f"{file} cannot be read: {error.strerror or error}; name a file of item ids") from error
        except UnicodeDecodeError as error:
            raise MmsrarecError(f"{file} is not UTF-8: save it as such, one item id a line") from error
        return {"history": [line for line in text.splitlines() if line]}
    return {"history": history} if user is None else {"user": user}


def _split_history(who: dict[str, Any], texts: list[str] | None, recommender: Any) -> dict[str, Any]:
    """Split a history that was given as one text at its commas, unless the whole text is an item's id."""
    if texts is None or len(texts) != 1 or texts[0] in recommender.dataset.item_code:
        return who
    return {"history": [part.strip() for part in texts[0].split(",") if part.strip()]}


def _preferences(more: list[str] | None, less: list[str] | None) -> dict[str, Any]:
    """The keywords of --more and --less; an option without any is left out."""
    options = {"more": more, "less": less}
    parts = {
        name: [part.strip() for text in texts or () for part in text.split(",")] for name, texts in options.items()
    }
    return {name: keywords for name, words in parts.items() if (keywords := [word for word in words if word])}
