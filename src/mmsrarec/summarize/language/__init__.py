"""Languages: the words of a text in any script, their forms, and the language of an item.

Reading order: `segmentation` (cuts a text into words), `lexicon` (word forms and filler words of a language),
`detection` (the language of an item, and the words that most items of a catalogue hold).
"""

from mmsrarec.summarize.language.detection import CatalogueWords, lexicons
from mmsrarec.summarize.language.lexicon import ENGLISH, Lexicon

__all__ = ["ENGLISH", "CatalogueWords", "Lexicon", "lexicons"]
