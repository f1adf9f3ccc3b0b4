"""The names that columns usually have, by what they mean."""

import re
from collections.abc import Mapping

ITEM_NAMES: Mapping[str, tuple[str, ...]] = {
    "item_id": (
        *("itemid", "item", "parentasin", "asin", "movieid", "productid", "articleid", "sku", "bookid", "videoid"),
        *("businessid", "goodsid", "gameid", "appid", "songid", "trackid", "newsid", "contentid", "iid", "isbn", "id"),
    ),
    "title": ("title", "name", "itemname", "itemtitle", "productname", "producttitle", "prodname", "movietitle"),
    "text": (
        *("description", "text", "bodyhtml", "body", "plot", "overview", "abstract", "summary", "desc", "detaildesc"),
        *("productdescription", "longdescription", "shortdescription", "synopsis", "caption", "content"),
    ),
    "categories": ("categories", "category", "genres", "genre", "categorynames", "categoryname"),
    "image": (
        *("image", "picture", "imagepath", "imagefile", "imageurl", "imurl", "imageurlhighres", "imagesrc", "img"),
        *("poster", "posterurl", "cover", "coverurl", "images", "thumbnail", "photo", "picturepath"),
    ),
    "year": ("year", "releaseyear"),
}
"""Field of an item -> the usual names, folded; the first that is there is taken."""
INTERACTION_NAMES: Mapping[str, tuple[str, ...]] = {
    "user_id": (
        *("userid", "user", "reviewerid", "visitorid", "customerid", "customer", "username", "memberid", "uid"),
        *("accountid", "profileid", "buyerid", "clientid", "authorid", "personid", "visitor"),
    ),
    "item_id": ITEM_NAMES["item_id"][:-1],
    "timestamp": (
        *("timestamp", "unixreviewtime", "time", "datetime", "date", "ratingtimestamp", "eventtime", "createdat"),
        *("tdat", "ts", "dateadded", "reviewtime", "reviewdate", "purchasedate", "orderdate", "unixtime", "visittime"),
    ),
    "rating": ("rating", "ratings", "stars", "overall", "score", "reviewrating", "reviewscore", "recommended"),
    "event": ("event", "eventtype", "eventname", "action", "actiontype", "behavior", "behaviour", "behaviortype"),
    "quantity": ("quantity", "qty"),
}
"""The same of an interaction."""
OWN_NAMES = {"user_id": "userid", "item_id": "itemid", "timestamp": "timestamp"}
"""The names of the data folder. They win where other usual names stand beside them."""
ALIASES = {
    **{"user": "user_id", "item": "item_id", "time": "timestamp", "description": "text", "category": "categories"},
    **{"genres": "categories", "picture": "image", "event_type": "event"},
}
"""Other names of fields in --map."""
_TYPE = re.compile(r":(token|token_seq|float|float_seq)$")


def plain_name(column: str) -> str:
    """A column's name without the type that RecBole writes behind it: "user_id:token" is "user_id"."""
    return _TYPE.sub("", column.strip())


def folded(column: str) -> str:
    """A column's name without case, blanks and signs: "userId", "USER_ID" and "user_id:token" are "userid"."""
    return re.sub(r"[\W_]+", "", plain_name(column).casefold())
