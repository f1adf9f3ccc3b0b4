"""Small catalogues in thirteen languages of ten scripts, with what their keywords must and must not be."""

from dataclasses import dataclass

import numpy as np

from mmsrarec.data.dataset import Dataset, Item, make_interactions


@dataclass(frozen=True)
class Told:
    """Items as (title, text, category).

    shared: two forms of a word, each in the text of other items, that must be one; filler: no keyword may be any of it;
    preference: what somebody types, and the places of the items that carry it.
    """

    items: tuple[tuple[str, str, str], ...]
    shared: tuple[str, str]
    filler: tuple[str, ...]
    preference: tuple[str, tuple[int, ...]]

    def dataset(self, name: str) -> Dataset:
        none = np.zeros(0, dtype=np.int64)
        items = tuple(Item(str(code), title, text, (group,)) for code, (title, text, group) in enumerate(self.items))
        return Dataset(name, items, (), make_interactions(none, none, none, 0, len(items)))


CATALOGUES = {
    "en": Told(
        (
            ("Oak lamp", "A lamp for the bedroom, made of oak.", "Home"),
            ("Wool scarf", "This scarf is of soft wool and will keep you warm.", "Clothes"),
            ("Wool blankets", "Lamps and blankets for the winter.", "Home"),
        ),
        ("lamp", "lamps"), ("the", "for", "with", "and", "will"), ("blanket", (2,)),
    ),
    "de": Told(
        (
            ("Schal für den Winter", "Ein Schal aus der Wolle von Schafen.", "Mode"),
            ("Lampe aus Eiche", "Die Lampe ist für das Schlafzimmer und die Küche.", "Wohnen"),
            ("Zwei Lampen", "Diese Lampen sind aus Glas, mit einer Decke aus Wolle.", "Wohnen"),
        ),
        ("Lampe", "Lampen"), ("für", "aus", "der", "und", "das", "ein", "diese"), ("Lampen", (1, 2)),
    ),
    "fr": Told(
        (
            ("Écharpe pour l'hiver", "Une écharpe avec les franges pour une soirée.", "Mode"),
            ("Les écharpes de laine", "Ces écharpes sont douces et elles sont dans une boîte.", "Mode"),
            ("Lampe de chevet", "Une lampe pour la chambre, avec un pied en chêne.", "Maison"),
        ),
        ("écharpe", "écharpes"), ("pour", "une", "les", "avec", "dans"), ("écharpes", (0, 1)),
    ),
    "ru": Told(
        (
            ("Шерстяной шарф", "Мягкий шарф из шерсти для зимы.", "Одежда"),
            ("Два шарфа", "Это теплые шарфы, которые подходят для прогулок.", "Одежда"),
            ("Дубовая лампа", "Лампа для спальни, и она не греется.", "Дом"),
        ),
        ("шарф", "шарфы"), ("для", "из", "это", "которые", "не"), ("шарфы", (0, 1)),
    ),
    "el": Told(
        (
            ("Μάλλινο κασκόλ", "Ένα κασκόλ από μαλλί για τον χειμώνα.", "Ρούχα"),
            ("Λάμπα δρυός", "Η λάμπα είναι για το υπνοδωμάτιο και για το σαλόνι.", "Σπίτι"),
            ("Δύο λάμπες", "Οι λάμπες είναι από γυαλί.", "Σπίτι"),
        ),
        ("λάμπα", "λάμπες"), ("για", "από", "και", "είναι"), ("λάμπες", (1, 2)),
    ),
    "ar": Told(
        (
            ("مصباح خشبي", "هذا المصباح من خشب البلوط في غرفة النوم.", "المنزل"),
            ("وشاح صوف", "وشاح ناعم من الصوف على شكل مربع.", "ملابس"),
            ("المصباح الزجاجي", "هو مصباح من الزجاج الشفاف.", "المنزل"),
        ),
        ("المصباح", "مصباح"), ("من", "في", "هذا", "على"), ("مصباح", (0, 2)),
    ),
    "fa": Told(
        (
            ("شال پشمی", "این شال برای زمستان است و از پشم نرم می‌باشد.", "پوشاک"),
            ("کتاب‌های کودک", "این کتاب برای کودکان است.", "کتاب"),
            ("چراغ چوبی", "این چراغ از چوب است و برای اتاق خواب.", "خانه"),
        ),
        ("کتاب", "کتاب‌های"), ("این", "برای", "است", "از"), ("کتاب‌ها", (1,)),
    ),
    "he": Told(
        (
            ("צעיף צמר", "צעיף רך של צמר, גם אם קר.", "בגדים"),
            ("הצעיף הכחול", "זה הצעיף של החורף, לא רק של האביב.", "בגדים"),
            ("מנורת אלון", "מנורה על השולחן, או על הקיר.", "בית"),
        ),
        ("צעיף", "הצעיף"), ("של", "גם", "אם", "זה", "לא"), ("צעיף", (0, 1)),
    ),
    "hi": Told(
        (
            ("ऊनी दुपट्टा", "यह दुपट्टा सर्दी के लिए है और नरम ऊन से बना है।", "कपड़े"),
            ("बच्चों की किताब", "यह किताब कहानी की है।", "किताबें"),
            ("दो किताबें", "ये किताबें बच्चों के लिए हैं।", "किताबें"),
        ),
        ("किताब", "किताबें"), ("यह", "के", "लिए", "और", "है"), ("किताब", (1, 2)),
    ),
    "th": Told(
        (
            ("ผ้าพันคอขนสัตว์", "ผ้าพันคอนุ่มสำหรับฤดูหนาว", "เสื้อผ้า"),
            ("ผ้าห่มขนสัตว์", "ผ้าห่มอุ่นและนุ่มสำหรับห้องนอน", "บ้าน"),
            ("โคมไฟไม้", "โคมไฟที่ทำจากไม้โอ๊ก", "บ้าน"),
        ),
        ("ขนสัตว์", "ขนสัตว์"), ("และ", "ที่", "จาก", "สำหรับ"), ("ขนสัตว์", (0, 1)),
    ),
    "zh": Told(
        (
            ("羊毛围巾", "柔软的羊毛围巾，冬季必备。", "服饰"),
            ("羊毛毯子", "柔软的羊毛毯子，冬季必备。", "家居"),
            ("玻璃茶壶", "耐高温的玻璃茶壶。", "厨房"),
        ),
        ("羊毛", "羊毛"), ("的", "和", "是"), ("围巾", (0,)),
    ),
    "ja": Told(
        (
            ("ウールのマフラー", "冬にぴったりの柔らかいウールのマフラー。", "服"),
            ("ウールの毛布", "柔らかい毛布です。寝室に。", "家"),
            ("木のランプ", "寝室のためのランプ。", "家"),
        ),
        ("ウール", "ウール"), ("の", "に", "です", "ため"), ("ランプ", (2,)),
    ),
    "ko": Told(
        (
            ("양모 목도리", "겨울을 위한 부드러운 목도리", "옷"),
            ("목도리와 장갑", "양모로 만든 목도리를 그리고 장갑을 함께", "옷"),
            ("오크 램프", "침실용 램프", "홈"),
        ),
        ("목도리", "목도리를"), ("그리고", "함께"), ("목도리", (0, 1)),
    ),
}  # fmt: skip
