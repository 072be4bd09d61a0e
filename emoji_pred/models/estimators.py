"""Linear estimators of scikit-learn, each for one label against the rest.

A configuration names a function of this module by `_target_`; its arguments carry their ranges. scikit-learn
is imported when one is called.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, PositiveInt

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]


def naive_bayes(*, alpha: Positive = 1.0) -> Any:
    """Multinomial naive Bayes.

    Args:
        alpha: counts added to each feature (Laplace smoothing).
    """
    from sklearn.naive_bayes import MultinomialNB

    return MultinomialNB(alpha=alpha)


def linear_svc(
    *,
    C: Positive = 1.0,
    balanced: bool = False,
    tolerance: Positive = 1e-4,
    max_iterations: PositiveInt = 1000,
    seed: Seed = 0,
) -> Any:
    """Support vector machine with squared hinge loss (liblinear, coordinate descent on the dual).

    Args:
        C: inverse regularisation.
        balanced: rows count by the inverse frequency of their class.
        tolerance: at which the solver stops.
        max_iterations: after which it stops.
        seed: of the order in which it sees the rows.
    """
    from sklearn.svm import LinearSVC

    weight = "balanced" if balanced else None
    return LinearSVC(C=C, class_weight=weight, tol=tolerance, max_iter=max_iterations, random_state=seed)


def logistic_regression(
    *,
    C: Positive = 1.0,
    solver: Literal["sag", "lbfgs"] = "sag",
    balanced: bool = False,
    tolerance: Positive = 1e-4,
    max_iterations: PositiveInt = 100,
    seed: Seed = 0,
) -> Any:
    """Logistic regression.

    Args:
        C: inverse regularisation.
        solver: `sag` (stochastic average gradient) or `lbfgs`.
        balanced: rows count by the inverse frequency of their class.
        tolerance: at which the solver stops.
        max_iterations: after which it stops.
        seed: of the order in which `sag` sees the rows.
    """
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(
        C=C,
        solver=solver,
        class_weight="balanced" if balanced else None,
        tol=tolerance,
        max_iter=max_iterations,
        random_state=seed,
    )
