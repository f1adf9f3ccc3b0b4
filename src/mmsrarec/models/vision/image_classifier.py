"""Names what the embedded model's vision encoder sees, with the encoder's own classifier of the 1,000 ImageNet classes.

EfficientNet-Lite0 comes with a linear classifier, which the embedded model does not need to work. It knows photographs
that the projector was never trained on, and how sure it is. `class_words` holds the words of each class.
"""

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from mmsrarec.models import CONVERTED
from mmsrarec.models.backbone.embedded import packaged_vision_weights
from mmsrarec.models.backbone.mllm import Mllm
from mmsrarec.models.untyped import to_list
from mmsrarec.models.vision.class_words import RECORDED, WordProbabilities, read_class_words


@dataclass(frozen=True)
class ImageClassifier:
    """A linear classifier on the mean of the vision encoder's positions.

    Attributes:
        weight: (k, channels) a row for each of k classes.
        bias: (k,).
        class_words: The words of each class, its name first.
    """

    weight: Tensor
    bias: Tensor
    class_words: tuple[tuple[str, ...], ...]

    @classmethod
    def load(cls) -> "ImageClassifier":
        """Load the classifier from the package of the encoder's weights.

        Raises:
            MmsrarecError: The package is missing.
        """
        source = packaged_vision_weights()
        return cls(source["_fc.weight"].float(), source["_fc.bias"].float(), read_class_words())

    @cached_property
    def vocabulary(self) -> tuple[str, ...]:
        """All words, in the order of the classes."""
        return tuple(dict.fromkeys(word for words in self.class_words for word in words))

    @cached_property
    def _classes_of_words(self) -> Tensor:
        """(k, w): 1 where a class has a word."""
        column = {word: place for place, word in enumerate(self.vocabulary)}
        table = torch.zeros(len(self.class_words), len(column), dtype=torch.float32)
        for row, words in enumerate(self.class_words):
            table[row, [column[word] for word in words]] = 1
        return table

    def class_probabilities(self, states: Tensor) -> Tensor:
        """Compute how likely each class is.

        Args:
            states: (n, channels) mean states of n pictures (`Mllm.encode_images_with_states`).

        Returns:
            (n, k) probabilities.
        """
        return (states.float().cpu() @ self.weight.T + self.bias).softmax(-1)

    def word_probabilities(self, states: Tensor) -> list[WordProbabilities]:
        """Compute how likely each word is.

        Args:
            states: (n, channels) mean states of n pictures (`Mllm.encode_images_with_states`).

        Returns:
            For each picture the words whose probability is at least `RECORDED`.
        """
        return self.words(self.class_probabilities(states))

    def words(self, probabilities: Tensor) -> list[WordProbabilities]:
        """Compute how likely each word is, of (n, k) probabilities of the classes; as `word_probabilities`."""
        table = probabilities @ self._classes_of_words
        rows: list[WordProbabilities] = []
        for values in table:
            order: list[int] = to_list(values.argsort(descending=True)[: int((values >= RECORDED).sum())])
            rows.append({self.vocabulary[place]: round(float(values[place]), 4) for place in order})
        return rows


def has_classifier(mllm: Mllm) -> bool:
    """Whether a model's vision encoder comes with a classifier: only that of the embedded model does."""
    return mllm.fingerprint.startswith(CONVERTED)


def classifier_of(mllm: Mllm) -> ImageClassifier | None:
    """The classifier of a model's vision encoder; None where it has none."""
    return ImageClassifier.load() if has_classifier(mllm) else None
