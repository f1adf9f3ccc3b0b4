"""Looks again at a picture in which the vision encoder's classifier may know something: mirrored, nearer and farther.

A class that is there stays likely in all views; a chance likeness fades in some. So the classes' probabilities are the
means over the views. Most pictures of which the classifier knows nothing, such as film posters, are looked at once.
"""

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from mmsrarec.models.backbone.mllm import Mllm
from mmsrarec.models.backbone.warm_up import grids
from mmsrarec.models.vision.class_words import FARTHER, LOOK_AGAIN, NEARER, WordProbabilities
from mmsrarec.models.vision.image_classifier import ImageClassifier


def views_of(picture: Image.Image) -> list[Image.Image]:
    """Make the other views of a picture.

    Args:
        picture: The picture, RGB.

    Returns:
        The mirrored picture; its middle; and all of it on a larger square in the colour of its edge.
    """
    width, height = picture.size
    left, top = round(width * (1 - NEARER) / 2), round(height * (1 - NEARER) / 2)
    nearer = picture.crop((left, top, max(width - left, left + 1), max(height - top, top + 1)))
    side = max(1, round(max(picture.size) * FARTHER))
    farther = Image.new("RGB", (side, side), edge_colour(picture))
    farther.paste(picture, ((side - width) // 2, (side - height) // 2))
    return [ImageOps.mirror(picture), nearer, farther]


def edge_colour(picture: Image.Image) -> tuple[int, int, int]:
    """The median colour of a picture's outermost pixels, which is the ground of a product that touches the edge."""
    pixels = np.asarray(picture)
    edge = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    red, green, blue = (int(value) for value in np.median(edge, axis=0))
    return red, green, blue


def words_at_second_look(
    mllm: Mllm, classifier: ImageClassifier, pictures: Sequence[Image.Image], states: Tensor
) -> list[WordProbabilities]:
    """Compute how likely each word is, and look again where one is likely at first sight.

    Args:
        mllm: The embedded model.
        classifier: Its vision encoder's classifier.
        pictures: n pictures.
        states: (n, channels) their mean states (`Mllm.encode_images_with_states`).

    Returns:
        For each picture its recorded words, as `ImageClassifier.word_probabilities`.
    """
    probabilities = classifier.class_probabilities(states)
    first = classifier.words(probabilities)
    again = [place for place, row in enumerate(first) if max(row.values(), default=0.0) >= LOOK_AGAIN]
    if not again:
        return first
    views = [views_of(pictures[place]) for place in again]
    seen = grids(mllm, [view for row in views for view in row]).float().mean(1)
    others = classifier.class_probabilities(seen).reshape(len(again), len(views[0]), -1)
    means = torch.cat([probabilities[again][:, None], others], dim=1).mean(1)
    for place, row in zip(again, classifier.words(means), strict=True):
        first[place] = row
    return first
