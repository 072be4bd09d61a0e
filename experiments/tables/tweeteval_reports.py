"""What the tweeteval paper prints in its Tables 1 to 4, and where that does not fit together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Triple = tuple[float, float, float]  # precision, recall, F1, as printed


@dataclass(frozen=True)
class Report:
    """One of Tables 1 to 4, as printed, on the test split.

    Attributes:
        classes: in the order of `LABELS`.
        accuracy, macro, weighted: the last three rows.
    """

    classes: tuple[Triple, ...]
    accuracy: float
    macro: Triple
    weighted: Triple


LABELS = (
    *("❤", "😍", "😂", "💕", "🔥", "😊", "😎", "✨", "💙", "😘"),
    *("📷", "🇺🇸", "☀", "💜", "😉", "💯", "😁", "🎄", "📸", "😜"),
)
SUPPORT = (
    *(10_798, 4_830, 4_534, 2_605, 3_716, 1_613, 1_996, 2_749, 1_549, 1_175),
    *(1_432, 1_949, 1_265, 1_114, 1_306, 1_244, 1_153, 1_545, 2_417, 1_010),
)  # test rows of each class, the same in all four tables
ALL_ROWS = 50_000  # the support of each of the three last rows

REPORTS = {  # by the number of the table
    1: Report(
        (
            *((0.91, 0.73, 0.81), (0.44, 0.24, 0.31), (0.56, 0.43, 0.49), (0.21, 0.15, 0.18)),
            *((0.62, 0.53, 0.57), (0.16, 0.17, 0.17), (0.23, 0.20, 0.21), (0.32, 0.36, 0.34)),
            *((0.17, 0.23, 0.19), (0.15, 0.32, 0.20), (0.33, 0.51, 0.40), (0.58, 0.68, 0.62)),
            *((0.43, 0.81, 0.56), (0.11, 0.17, 0.14), (0.13, 0.18, 0.15), (0.24, 0.37, 0.29)),
            *((0.10, 0.12, 0.11), (0.65, 0.79, 0.71), (0.37, 0.27, 0.31), (0.09, 0.13, 0.11)),
        ),
        0.44,
        (0.34, 0.37, 0.34),
        (0.48, 0.44, 0.45),
    ),
    2: Report(
        (
            *((0.95, 0.50, 0.66), (0.19, 0.08, 0.11), (0.21, 0.45, 0.29), (0.17, 0.18, 0.17)),
            *((0.22, 0.37, 0.28), (0.08, 0.02, 0.03), (0.08, 0.18, 0.11), (0.09, 0.02, 0.04)),
            *((0.11, 0.03, 0.04), (0.10, 0.21, 0.13), (0.26, 0.17, 0.20), (0.29, 0.12, 0.17)),
            *((0.21, 0.67, 0.32), (0.00, 0.00, 0.00), (0.07, 0.09, 0.08), (0.02, 0.00, 0.00)),
            *((0.05, 0.00, 0.00), (0.57, 0.64, 0.61), (0.36, 0.37, 0.37), (0.04, 0.13, 0.06)),
        ),
        0.28,
        (0.20, 0.21, 0.18),
        (0.35, 0.28, 0.28),
    ),
    3: Report(
        (
            *((0.92, 0.66, 0.77), (0.18, 0.11, 0.14), (0.25, 0.31, 0.28), (0.17, 0.06, 0.09)),
            *((0.46, 0.28, 0.35), (0.09, 0.03, 0.05), (0.17, 0.08, 0.10), (0.20, 0.12, 0.15)),
            *((0.09, 0.11, 0.10), (0.09, 0.25, 0.13), (0.25, 0.49, 0.33), (0.47, 0.35, 0.40)),
            *((0.26, 0.43, 0.33), (0.05, 0.13, 0.08), (0.06, 0.24, 0.10), (0.08, 0.08, 0.08)),
            *((0.05, 0.10, 0.07), (0.51, 0.70, 0.59), (0.33, 0.07, 0.12), (0.04, 0.08, 0.05)),
        ),
        0.30,
        (0.24, 0.23, 0.21),
        (0.38, 0.30, 0.32),
    ),
    4: Report(
        (
            *((0.96, 0.62, 0.75), (0.27, 0.06, 0.10), (0.37, 0.26, 0.31), (0.20, 0.07, 0.10)),
            *((0.38, 0.48, 0.43), (0.10, 0.06, 0.07), (0.10, 0.18, 0.13), (0.25, 0.19, 0.21)),
            *((0.10, 0.13, 0.11), (0.12, 0.21, 0.15), (0.23, 0.62, 0.34), (0.42, 0.50, 0.46)),
            *((0.30, 0.68, 0.42), (0.06, 0.18, 0.09), (0.07, 0.14, 0.10), (0.12, 0.16, 0.13)),
            *((0.09, 0.13, 0.10), (0.56, 0.76, 0.64), (0.27, 0.05, 0.09), (0.05, 0.09, 0.07)),
        ),
        0.33,
        (0.25, 0.28, 0.24),
        (0.40, 0.33, 0.34),
    ),
}
MEASURES = ("precision", "recall", "f1")

HALF = 0.005  # of the last printed digit
FEW_CLASSES = 4  # that count as rare here
# The text of Table 3 says that precision and recall of these rose from the FFN to the Transformer.
SAID_TO_RISE = ("💜", "🔥", "📷", "🇺🇸")
# Of the tables of the FFN and of the CNN.
SAID_OF_HEARTS = {
    2: "section 3.2 says that the network clearly predicts too many",
    4: "section 3.4 says that the imbalance gives the network a large bias towards",
}


def contradictions_of(number: int) -> tuple[str, ...]:
    """Where one of Tables 1 to 4 does not fit to itself or to the text."""
    found = misfits(REPORTS[number])
    if number == 1:
        found.append(_said_of_the_data())
    if number == 3:
        found += [
            f"the text says that precision and recall of {label} rise from Table 2; {name} falls from "
            f"{before:.2f} to {after:.2f}"
            for label in SAID_TO_RISE
            for name, before, after in zip(
                MEASURES, *(REPORTS[table].classes[LABELS.index(label)] for table in (2, 3)), strict=True
            )
            if after < before and name != "f1"
        ]
    if number == 4:
        found.append(_said_of_rare_classes())
    if number in SAID_OF_HEARTS:
        found.append(f"{SAID_OF_HEARTS[number]} ❤, {_hearts_predicted(REPORTS[number])}")
    return tuple(found)


def _hearts_predicted(report: Report) -> str:
    precision, recall, _ = report.classes[LABELS.index("❤")]
    support = SUPPORT[LABELS.index("❤")]
    return (
        f"but by its precision of {precision:.2f} and recall of {recall:.2f} it predicts ❤ about "
        f"{recall * support / precision:,.0f} times, of {support:,} rows: too rarely, not too often"
    )


def _said_of_the_data() -> str:
    listed = ", ".join(f"{label} {SUPPORT[LABELS.index(label)]:,}" for label in ("❤", "😍", "😂", "😁"))
    return (
        "section 2.2 tells the imbalance that training meets by 10,000+, 4,500+ and 1,153 instances, and "
        f"section 3.4 by 22 % of hearts: these are rows of the test split ({listed} of {ALL_ROWS:,}), not of "
        "the training split"
    )


def _said_of_rare_classes() -> str:
    """What the abstract says of the CNN, beside the F1 of the rarest classes."""
    rarest = sorted(range(len(LABELS)), key=lambda place: SUPPORT[place])[:FEW_CLASSES]
    cnn, bert = ([one[2] for one in REPORTS[number].classes] for number in (4, 1))
    listed = ", ".join(f"{LABELS[place]} {cnn[place]:.2f} and {bert[place]:.2f}" for place in rarest)
    above = sum(one > other for one, other in zip(cnn, bert, strict=True))
    return (
        "the abstract says that the CNN does better on rare emoji; its F1 and that of BERT (Table 1) on the "
        f"{FEW_CLASSES} rarest are {listed}, and of all {len(LABELS)} classes its F1 is the greater one in "
        f"{above or 'none'}"
    )


def misfits(report: Report) -> list[str]:
    """What cannot come of rounding in a classification report.

    F1 is the harmonic mean of precision and recall, the averages are those of the classes, and the accuracy
    is the recall weighted by rows.
    """
    found = [
        f"F1 of {label} does not follow from its precision and recall"
        for label, (precision, recall, f1) in zip(LABELS, report.classes, strict=True)
        if not _f1_of(precision - HALF, recall - HALF) - HALF
        <= f1
        <= _f1_of(precision + HALF, recall + HALF) + HALF
    ]
    classes = np.array(report.classes)  # (20, 3)
    averages = {
        "macro": (classes.mean(axis=0), report.macro),
        "weighted": (np.average(classes, axis=0, weights=SUPPORT), report.weighted),
    }
    for average, (computed, printed) in averages.items():
        # A mean of rounded numbers is off by at most half a digit, and is itself rounded.
        far = np.abs(computed - printed) > 2 * HALF + 1e-9
        found += [
            f"the {average} average of {name} does not follow from the classes"
            for name, out in zip(MEASURES, far, strict=True)
            if out
        ]
    if report.accuracy != report.weighted[1]:
        found.append("the accuracy is not the weighted average of the recall")
    return found


def _f1_of(precision: float, recall: float) -> float:
    return 2 * precision * recall / (precision + recall) if precision > 0 and recall > 0 else 0.0
