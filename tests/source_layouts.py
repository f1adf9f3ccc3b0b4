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
                [
                    "unknown",
                    "Action",
                    "Adventure",
                    "Animation",
                    "Children's",
                    "Comedy",
                    "Crime",
                    "Documentary",
                    "Drama",
                    "Fantasy",
                    "Film-Noir",
                    "Horror",
                    "Musical",
                    "Mystery",
                    "Romance",
                    "Sci-Fi",
                    "Thriller",
                    "War",
                    "Western",
                ]
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


def amazon_2014(folder: Path) -> Path:
    """Products as Python literals, packed; the site's own icon as a picture; escaped characters; a product unknown."""
    reviews = [
        {"reviewerID": "A1YJEY40YUW4SE", "asin": "7806397051", "reviewerName": "Andrea", "helpful": [3, 4],
         "reviewText": "Very oily", "overall": 1.0, "summary": "Oily", "unixReviewTime": 1391040000,
         "reviewTime": "01 30, 2014"},
        {"reviewerID": "A60XNB876KYML", "asin": "7806397051", "helpful": [1, 1], "reviewText": "Good", "overall": 3.0,
         "summary": "ok", "unixReviewTime": 1397779200, "reviewTime": "04 18, 2014"},
        {"reviewerID": "A60XNB876KYML", "asin": "B0000000NO", "helpful": [0, 0], "reviewText": "", "overall": 5.0,
         "summary": "", "unixReviewTime": 1397779200, "reviewTime": "04 18, 2014"},
    ]  # fmt: skip
    json_lines(folder / "reviews_Beauty_5.json.gz", *reviews)
    products = [
        {"asin": "7806397051", "title": "WAWO 15 Colour \"Palette\" & more", "price": 8.99, "imUrl": "http://g.com/1.jpg",
         "related": {"also_bought": ["B0000000NO"]}, "salesRank": {"Beauty": 3062}, "brand": "WAWO",
         "categories": [["Beauty", "Makeup", "Face"], ["Beauty", "Gifts"]], "description": "It's a palette."},
        {"asin": "B004756YJA", "title": "OPI", "imUrl": "http://g.com/x/nav2/dp/no-image-no-ciu.gif",
         "categories": [["Beauty"]]},
    ]  # fmt: skip
    write_lines(folder / "meta_Beauty.json.gz", *map(repr, products), "__import__('os').mkdir('owned')")
    return folder


def amazon_2018(folder: Path) -> Path:
    """Votes as text, lists of pictures, a product twice, a script for a title, a description as a list."""
    reviews = [
        {"overall": 5.0, "vote": "1,203", "verified": True, "reviewTime": "09 1, 2016", "reviewerID": "A3CIUOJXQ5VDQ2",
         "asin": "B0000530HU", "style": {"Size:": " 7.0 oz"}, "reviewerName": "Shelly", "reviewText": "As advertised",
         "summary": "Five Stars", "unixReviewTime": 1472688000, "image": ["https://i.com/r.jpg"]},
        {"overall": 4.0, "verified": False, "reviewTime": "11 14, 2013", "reviewerID": "A3H7T87S984REU",
         "asin": "B00006L9LC", "reviewerName": "houserules18", "unixReviewTime": 1384387200},
    ]  # fmt: skip
    json_lines(folder / "All_Beauty_5.json.gz", *reviews)
    first = {"category": [], "tech1": "", "description": ["Loud 'N Clear", ""], "title": "Loud &amp; Clear",
             "also_buy": [], "brand": "idea village", "feature": ["Fast", "Safe"], "rank": "2,938,573 in Beauty",
             "price": ".a-box-inner{background-color:#fff}", "asin": "B0000530HU",
             "imageURL": ["https://i.com/small.jpg"], "imageURLHighRes": ["https://i.com/big.jpg"]}  # fmt: skip
    script = {"title": "var aPageStart = (new Date()).getTime();", "asin": "B00006L9LC", "category": ["Beauty"],
              "details": {"Weight:": "2 oz", "ASIN: ": "B00006L9LC"}, "brand": ""}  # fmt: skip
    json_lines(folder / "meta_All_Beauty.json.gz", first, script, first)
    return folder


def amazon_2023(folder: Path) -> Path:
    """Milliseconds, a variant and its product, prices that are none, details as text, pictures in two shapes."""
    reviews = [
        {"rating": 5.0, "title": "Good", "text": "Nice", "images": [], "asin": "B00YQ6X8EO",
         "parent_asin": "B00PARENT1",
         "user_id": "AGKHLEW2SOWHNMFQIJGBECAF7INQ", "timestamp": 1588687728923, "helpful_vote": 0,
         "verified_purchase": True},
        {"rating": 2.0, "title": "", "text": "", "images": [], "asin": "B000000002", "parent_asin": "B000000002",
         "user_id": "AGKHLEW2SOWHNMFQIJGBECAF7INQ", "timestamp": 1588615855070, "helpful_vote": 1,
         "verified_purchase": False},
    ]  # fmt: skip
    json_lines(folder / "review_categories" / "All_Beauty.jsonl", *reviews)
    products = [
        {"main_category": "All Beauty", "title": "Brush", "average_rating": 4.8, "rating_number": 10,
         "features": ["Soft"], "description": [], "price": None, "images": [
             {"thumb": "https://i.com/t.jpg", "large": "https://i.com/l.jpg", "variant": "MAIN", "hi_res": None}],
         "videos": [], "store": "Howard", "categories": ["Beauty", "Tools"],
         "details": {"Colour": "Red", "Best Sellers Rank": {"Beauty": 7}}, "parent_asin": "B00PARENT1",
         "bought_together": None},
        {"main_category": "Books", "title": "A book", "features": [], "description": ["Long."], "price": "from 12.99",
         "images": {"hi_res": ["https://i.com/h.jpg"], "large": ["https://i.com/b.jpg"]}, "store": None,
         "categories": [], "details": '{"Pages": "96", "Language": "English"}', "parent_asin": "B000000002",
         "subtitle": "Paperback", "author": {"name": "An Author", "about": ["..."]}},
    ]  # fmt: skip
    json_lines(folder / "meta_categories" / "meta_All_Beauty.jsonl", *products)
    return folder


def amazon_last_out(folder: Path) -> Path:
    """The benchmark's three parts, with the history that repeats earlier rows."""
    for part, row in (
        ("train", "AAAA,B000000001,5.0,1500000000001,"),
        ("valid", "AAAA,B000000002,4.0,1500000000002,B000000001"),
        ("test", "AAAA,B000000003,1.0,1500000000003,B000000001 B000000002"),
    ):
        write_lines(folder / f"All_Beauty.{part}.csv", "user_id,parent_asin,rating,timestamp,history", row)
    return folder


def hm(folder: Path) -> Path:
    """Numbers that begin with 0, two pieces of one article, a basket on one day, articles without a picture."""
    customer = "000058a12d5b43e67d225668fa1f8d618c13dc232df0cad8ffe7ad4a1091e318"
    write_lines(
        folder / "transactions_train.csv",
        "t_dat,customer_id,article_id,price,sales_channel_id",
        f"2018-09-20,{customer},0663713001,0.050830508474576264,2",
        f"2018-09-20,{customer},0663713001,0.050830508474576264,2",
        f"2018-09-20,{customer},0541518023,0.03049152542372881,2",
        f"2018-09-24,{customer[::-1]},0108775015,0.01,1",
    )
    write_lines(
        folder / "articles.csv",
        "article_id,product_code,prod_name,product_type_no,product_type_name,product_group_name,colour_group_name,"
        "index_group_name,garment_group_name,detail_desc",
        '0663713001,0663713,Atlanta Push Body,283,Underwear body,Underwear,Black,Ladieswear,Unknown,"Lace body, soft"',
        "0541518023,0541518,Rae Push,306,Bra,Underwear,Pink,Ladieswear,Lingeries,",
    )
    write_lines(folder / "customers.csv", "customer_id,FN,Active,club_member_status,age", f"{customer},,,ACTIVE,49.0")
    return folder


def kuairec(folder: Path) -> Path:
    """Fractions of seconds, a row without a time, a caption of two lines, unknown categories, a video watched twice."""
    header = "user_id,video_id,play_duration,video_duration,time,date,timestamp,watch_ratio"
    write_lines(
        folder / "data" / "big_matrix.csv",
        header,
        "0,3649,13838,10867,2020-07-05 00:08:23.438,20200705,1593878903.438,1.2733965215790925",
        "0,9598,13665,10984,2020-07-05 00:13:41.297,20200705,1593879221.297,1.244082301529497",
        "0,3649,851,10867,2020-07-06 00:08:23.438,20200706,1593965303.438,0.07",
        "14,148,4381,6067,,,,0.722103",
    )
    write_lines(folder / "data" / "small_matrix.csv", header, "14,148,4381,6067,2020-07-05,20200705,1593898903.4,0.72")
    write_lines(
        folder / "data" / "kuairec_caption_category.csv",
        "video_id,manual_cover_text,caption,topic_tag,first_level_category_id,first_level_category_name,"
        "second_level_category_id,second_level_category_name,third_level_category_id,third_level_category_name",
        '3649,UNKNOWN,"精神小伙路难走\n程哥你狗粮慢点撒",[],8,颜值,673,颜值随拍,-124,UNKNOWN',
        "9598,UNKNOWN,,[],27,高新数码,-124,UNKNOWN,-124,UNKNOWN",
    )
    write_lines(folder / "data" / "item_categories.csv", "video_id,feat", "3649,[8]", '9598,"[27, 9]"')
    write_lines(folder / "data" / "user_features.csv", "user_id,user_active_degree", "0,high_active")
    return folder


def steam(folder: Path) -> Path:
    """Python literals: no user_id, u'', True within a text, an exact repeat, a game without an id, a price in words."""
    first = (
        "{u'username': u'Chaos Syren', u'hours': 0.1, u'products': 41, u'product_id': u'725280', u'page_order': 0, "
        "u'date': u'2017-12-17', u'text': u'It would not be True fun', u'early_access': False, u'page': 1}"
    )
    second = (
        "{u'username': u'Ariman1', u'hours': 13.2, u'products': 1386, u'product_id': u'328100', u'page_order': 2, "
        "u'date': u'2017-08-02', u'text': u'Adeco\\xf1', u'early_access': False, u'page': 1, "
        "u'user_id': u'76561198007483075'}"
    )
    write_lines(folder / "steam_reviews.json", first, second, second)
    write_lines(
        folder / "steam_games.json",
        "{u'publisher': u'Kotoshiro', u'genres': [u'Action', u'Indie'], u'app_name': u'Lost Summoner Kitty', "
        "u'title': u'Lost Summoner Kitty', u'url': u'http://s.com/1', u'release_date': u'2018-01-04', u'tags': "
        "[u'Strategy'], u'specs': [u'Single-player'], u'price': 4.99, u'early_access': False, u'id': u'725280', "
        "u'developer': u'Kotoshiro', u'sentiment': u'Mixed'}",
        "{u'app_name': u'Ironbound', u'release_date': u'Coming Soon 2019', u'price': u'Free To Play', "
        "u'id': u'328100'}",
        "{u'app_name': u'Log Challenge', u'price': u'Free to Use', u'tags': [u'Indie']}",
    )
    return folder


def yelp(folder: Path) -> Path:
    """Dates without a zone, categories in one text or none, attributes as Python literals, a list of photos."""
    reviews = [
        {"review_id": "r1", "user_id": "u1", "business_id": "b1", "stars": 3.0, "useful": 0, "funny": 0, "cool": 0,
         "text": "If you decide", "date": "2018-07-07 22:09:11"},
        {"review_id": "r2", "user_id": "u1", "business_id": "b2", "stars": 5.0, "useful": 1, "funny": 0, "cool": 1,
         "text": "I've taken", "date": "2012-01-03 15:28:18"},
    ]  # fmt: skip
    json_lines(folder / "yelp_academic_dataset_review.json", *reviews)
    businesses = [
        {"business_id": "b1", "name": "St Honore Pastries", "address": "935 Race St", "city": "Philadelphia",
         "state": "PA", "postal_code": "19107", "latitude": 39.9, "longitude": -75.1, "stars": 4.0, "review_count": 80,
         "is_open": 1, "attributes": {"WiFi": "u'free'", "BusinessParking": "{'garage': False, 'street': True}",
                                      "Alcohol": "u'none'", "BikeParking": "True"},
         "categories": "Restaurants, Food, Bubble Tea", "hours": {"Monday": "7:0-20:0"}},
        {"business_id": "b2", "name": "Target", "address": "", "city": "Tucson", "state": "AZ", "stars": 3.5,
         "review_count": 22, "is_open": 0, "attributes": None, "categories": None, "hours": None},
    ]  # fmt: skip
    json_lines(folder / "yelp_academic_dataset_business.json", *businesses)
    json_lines(folder / "yelp_academic_dataset_user.json", {"user_id": "u1", "friends": "None", "elite": "2018,2019"})
    return folder


def goodreads_dated(folder: Path) -> Path:
    """Dates with a zone in words, empty dates, a book read before it was begun, no rating, no cover."""
    added = {"date_added": "Tue Oct 17 09:40:11 -0700 2017", "date_updated": "Tue Oct 17 09:40:11 -0700 2017"}
    rows = [
        {"user_id": "8842281e1d1347389f2ab93d60773d4d", "book_id": "130580", "review_id": "a", "isRead": True,
         "rating": 4, **added, "read_at": "Sun Oct 01 00:00:00 -0700 2017",
         "started_at": "Mon Oct 02 00:00:00 -0700 2017"},
        {"user_id": "8842281e1d1347389f2ab93d60773d4d", "book_id": "836610", "review_id": "b", "isRead": False,
         "rating": 0, **added, "read_at": "", "started_at": ""},
    ]  # fmt: skip
    json_lines(folder / "goodreads_interactions_poetry.json.gz", *rows)
    books = [
        {"isbn": "", "text_reviews_count": "15", "series": [], "popular_shelves": [{"count": "9", "name": "to-read"}],
         "average_rating": "4.04", "similar_books": ["89376"], "description": "Poems.", "book_id": "130580",
         "authors": [{"author_id": "604031", "role": ""}], "publisher": "Penguin", "publication_year": "2011",
         "image_url": "https://images.gr.com/books/1.jpg", "title": "Selected Poems", "work_id": "1"},
        {"book_id": "836610", "title": "The Iliad", "publication_year": "", "authors": [], "description": "",
         "image_url": "https://s.gr.com/assets/nophoto/book/111x148.png", "work_id": "2"},
    ]  # fmt: skip
    json_lines(folder / "goodreads_books_poetry.json.gz", *books)
    return folder


def goodreads_numbers(folder: Path) -> Path:
    """Numbers for users and books, lists of what they stand for, no times, and no rating."""
    write_lines(
        folder / "goodreads_interactions.csv",
        "user_id,book_id,is_read,rating,is_reviewed", "0,948,1,5,0", "0,947,1,0,1", "1,948,0,0,0",
    )  # fmt: skip
    write_lines(folder / "book_id_map.csv", "book_id_csv,book_id", "947,18245960", "948,0025577005")
    write_lines(folder / "user_id_map.csv", "user_id_csv,user_id", "0,8842281e", "1,72fb0d00")
    return folder


def goodbooks(folder: Path) -> Path:
    """Rows in the order of time without times, and years as fractions."""
    write_lines(folder / "ratings.csv", "user_id,book_id,rating", "1,258,5", "2,4081,4", "1,4081,3")
    write_lines(
        folder / "books.csv",
        "book_id,goodreads_book_id,authors,original_publication_year,title,average_rating,ratings_1,image_url",
        '258,2767052,Suzanne Collins,2008.0,"The Hunger Games (The Hunger Games, #1)",4.34,66715,http://i.gr.com/1m.jpg',
        "4081,3,J.K. Rowling,,Harry Potter,4.44,75504,https://s.gr.com/assets/nophoto/book/111x148.png",
    )
    write_lines(folder / "to_read.csv", "user_id,book_id", "1,112")
    return folder
