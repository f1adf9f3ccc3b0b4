"""Small sources in the layouts in which data sets are published, traps included: each function writes one folder."""

import gzip
import json
from pathlib import Path


def write_lines(path: Path, *lines: str, encoding: str = "utf-8", end: str = "\n") -> Path:
    """Write lines into a file, packed where its name ends with .gz, and make its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = "".join(line + end for line in lines).encode(encoding)
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def json_lines(path: Path, *records: object) -> Path:
    return write_lines(path, *(json.dumps(record, ensure_ascii=False) for record in records))


def movielens_100k(folder: Path) -> Path:
    """A title in Latin-1, a film without a title's year and date, and one moment of rating that two films share."""
    write_lines(
        folder / "u.data",
        "196\t242\t3\t881250949",
        "196\t302\t5\t881250949",
        "186\t302\t3\t891717742",
        "22\t267\t1\t878887116",
    )
    flags = "|".join("0" * 19)
    comedy = "|".join("0000010000000000001")
    write_lines(
        folder / "u.item",
        f"242|Kolya (1996)|24-Jan-1997||http://us.imdb.com/M/title-exact?Kolya%20(1996)|{comedy}",
        f"302|Misérables, Les (1995)|01-Jan-1995|||{comedy}",
        f"267|unknown||||1|{'|'.join('0' * 18)}",
        f"30|Shanghai Triad (Yao a yao yao dao waipo qiao) (1995)|01-Jan-1995||http://x|{flags}",
        encoding="latin-1",
    )
    write_lines(folder / "u.user", "196|49|M|writer|55105", "186|39|F|executive|00000", "22|25|M|writer|40206")
    write_lines(
        folder / "u.genre",
        *(
            f"{genre}|{code}"
            for code, genre in enumerate(
                "unknown Action Adventure Animation Children's Comedy Crime Documentary Drama Fantasy Film-Noir Horror "
                "Musical Mystery Romance Sci-Fi Thriller War Western".split()
            )
        ),
    )
    return folder


def movielens_1m(folder: Path) -> Path:
    """Fields parted by "::", a title in Latin-1 with a colon, and one with an alternative title in brackets."""
    write_lines(
        folder / "ratings.dat", "1::1193::5::978300760", "1::661::3::978302109", "2::1193::4::978298413",
        "2::3000::1::978299000",
    )  # fmt: skip
    write_lines(
        folder / "movies.dat",
        "661::City of Lost Children, The (Cité des enfants perdus, La) (1995)::Adventure|Sci-Fi",
        "1193::Star Wars: Episode IV - A New Hope (1977)::Drama",
        "3000::Fair Game::Action",
        encoding="latin-1",
    )
    write_lines(folder / "users.dat", "1::F::1::10::48067", "2::M::56::16::70072")
    return folder


def movielens_10m(folder: Path) -> Path:
    """Half stars, tags of users, no users."""
    write_lines(folder / "ratings.dat", "1::122::5::838985046", "1::185::3.5::838983525", "2::122::0.5::868245920")
    write_lines(folder / "movies.dat", "122::Boomerang (1992)::Comedy|Romance", "185::Net, The (1995)::Action")
    write_lines(folder / "tags.dat", "1::185::hackers, and more::1215184630")
    return folder


def movielens_20m(folder: Path) -> Path:
    """Quoted titles with commas, no genres, a title without a year, a double title, and a number that begins with 0."""
    write_lines(
        folder / "ratings.csv", "userId,movieId,rating,timestamp", "1,2,3.5,1112486027", "1,29,3.5,1112486027",
        "2,2,4.0,974820889", "2,171749,0.5,974820000",
    )  # fmt: skip
    write_lines(
        folder / "movies.csv",
        "movieId,title,genres",
        "2,Jumanji (1995),Adventure|Children",
        '29,"City of Lost Children, The (Cité des enfants perdus, La) (1995)",Adventure|Drama',
        '171749,"Death Note: Desu nôto (2006–2007)",(no genres listed)',
        "171750,Emma (1996),Drama",
        "171751,Emma (1996),Romance",
        "171752,Hyena Road,(no genres listed)",
        encoding="utf-8",
    )
    write_lines(folder / "links.csv", "movieId,imdbId,tmdbId", "2,0113497,8844", "29,0112682,902", "171749,0877057,")
    write_lines(folder / "tags.csv", "userId,movieId,tag,timestamp", '1,2,"board game, jungle",1112486030')
    return folder


def microlens(folder: Path, pairs: str = "tsv") -> Path:
    """Sequences with CRLF or rows with milliseconds, titles with an unquoted comma, covers named by item."""
    if pairs == "tsv":
        write_lines(folder / "MicroLens-50k_pairs.tsv", "1\t19 6 15", "2\t6 19", "3\t15 6 19 88", end="\r\n")
    else:
        write_lines(
            folder / "MicroLens-100k_pairs.csv", "user,item,timestamp", "1,19,1583378629552", "1,6,1583379629552",
            "2,6,1586378629552", "2,19,1586379629552", "3,88,1586479629552",
        )  # fmt: skip
    write_lines(
        folder / "MicroLens-50k_titles.csv",
        "item,title",
        '19,"Noodles, fast # food"',
        "6,Old song, new singer # music",
        "15,Cat",
        end="\r\n",
    )
    write_lines(folder / "MicroLens-50k_likes_and_views.txt", "19\t120\t4000", "6\t7\t3", "15\t0\t1")
    (folder / "MicroLens-50k_covers").mkdir()
    return folder


def recbole(folder: Path) -> Path:
    """Times as floats in exponents, lists parted by blanks, a quote and a blank inside a text, a file of users."""
    write_lines(
        folder / "ml.inter",
        "user_id:token\titem_id:token\trating:float\ttimestamp:float",
        "196\t242\t3\t881250949.0",
        "196\t302\t5\t8.81250955e+08",
        "186\t302\t3\t891717742",
    )
    write_lines(
        folder / "ml.item",
        "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq",
        '242\t12" Kolya\t1996\tComedy Film-Noir',
        "302\tL.A. Confidential\t1997\tCrime",
        "9\tNobody's\t\t",
    )
    write_lines(folder / "ml.user", "user_id:token\tage:token", "196\t49", "186\t39")
    write_lines(folder / "ml.link", "item_id:token\tentity_id:token", "242\tm.0abc")
    return folder


def mmrec(folder: Path) -> Path:
    """Codes that begin with 0, a user and an item that are not trained, feature files, and lists of what codes mean."""
    write_lines(
        folder / "baby.inter", "userID\titemID\trating\ttimestamp\tx_label", "0\t0\t5.0\t1370000000\t0",
        "0\t1\t4.0\t1370000001\t1", "0\t2\t4.0\t1370000002\t2", "1\t1\t1.0\t1380000000\t0", "2\t3\t5.0\t1390000000\t2",
    )  # fmt: skip
    write_lines(folder / "u_id_mapping.csv", "user_id\tuserID", "A1\t0", "A2\t1", "A3\t2")
    write_lines(folder / "i_id_mapping.csv", "asin\titemID", "B000\t0", "B001\t1", "0002\t2", "B003\t3", "B004\t4")
    import numpy as np

    np.save(folder / "image_feat.npy", np.zeros((5, 4), dtype=np.float32))
    np.save(folder / "text_feat.npy", np.ones((5, 3), dtype=np.float32))
    return folder
