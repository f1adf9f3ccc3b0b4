"""Published figures of other models on the same kind of data, under 1 positive + 20 uniform negatives.

The papers print percent; a report shows shares of one. Their candidates, users and training differ, so there is no
paired test with them.
"""

from typing import Literal, NamedTuple

ReferenceName = Literal["microlens", "amazon-baby", "amazon-games"]
PAPER = "MMSRARec, arXiv 2512.20916, table 4"
GRAPH = "MGRASRec, arXiv 2610.11228"


class ReferenceResult(NamedTuple):
    """A published row of a table.

    Attributes:
        model: Name of the model.
        source: The paper that prints it.
        metrics: Metric to its value in [0, 1].
    """

    model: str
    source: str
    metrics: dict[str, float]


_TABLE_4 = {
    "SASRec": ((66.64, 74.02, 31.20), (58.24, 71.06, 27.56), (62.36, 80.54, 29.66)),
    "BERT4Rec": ((54.47, 72.55, 28.99), (50.85, 73.45, 25.41), (55.15, 73.68, 27.25)),
    "MMSR": ((69.85, 78.87, 49.75), (65.44, 79.01, 44.22), (68.93, 81.19, 47.53)),
    "HM4SR": ((76.46, 80.23, 57.86), (72.37, 82.15, 53.60), (75.27, 83.59, 55.81)),
    "HLLM": ((71.23, 76.54, 30.52), (67.86, 77.28, 26.98), (70.11, 78.84, 28.49)),
    "LLM-ESR": ((68.25, 77.81, 62.67), (64.59, 78.63, 55.85), (67.20, 79.45, 57.92)),
    "MLLM-MSR": ((77.42, 83.17, 54.26), (73.92, 84.39, 58.57), (76.39, 85.69, 63.73)),
    "MLLMRec": ((81.32, 83.25, 68.25), (77.61, 81.79, 61.24), (79.86, 82.16, 58.40)),
    "MMSRARec, 7B": ((85.09, 84.36, 66.12), (81.50, 85.27, 62.82), (83.74, 85.81, 63.14)),
}
"""HR@5, AUC, NDCG@5 on MicroLens, Amazon Baby, Amazon Games."""
_GRAPH = {
    "SASRec": ((74.49, 57.48, 29.40), (77.02, 61.45, 40.76), (74.15, 46.31, 22.15)),
    "TALLRec, text only": ((85.34, 73.87, 52.22), (82.91, 70.80, 48.86), (90.33, 86.40, 65.27)),
    "7B, plainly fine-tuned on titles and images": (
        (87.98, 81.07, 58.42),
        (83.51, 74.40, 53.03),
        (90.81, 86.13, 66.62),
    ),
    "MLLM-MSR, official code": ((82.16, 74.00, 48.30), (78.10, 62.00, 46.48), (83.61, 73.73, 53.72)),
    "MGRASRec, 7B": ((89.55, 83.07, 62.65), (85.54, 77.40, 56.59), (91.96, 89.47, 69.94)),
}
"""AUC, HR@5, MRR@5 on the same, in the same order of data."""
_DATA: tuple[ReferenceName, ...] = ("microlens", "amazon-baby", "amazon-games")


def reference_rows(data: ReferenceName) -> list[ReferenceResult]:
    """The published rows of one data set.

    Args:
        data: Name of the data set.

    Returns:
        The rows of both papers, in their order.
    """
    column = _DATA.index(data)
    tables = ((PAPER, ("HR@5", "AUC", "NDCG@5"), _TABLE_4), (GRAPH, ("AUC", "HR@5", "MRR@5"), _GRAPH))
    return [
        ReferenceResult(
            model, source, {name: percent / 100 for name, percent in zip(names, figures[column], strict=True)}
        )
        for source, names, table in tables
        for model, figures in table.items()
    ]
