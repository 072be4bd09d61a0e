"""Import Lightning without the transformers package, which torchmetrics loads for a metric unused here."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_transformers() -> Iterator[None]:
    """While this holds, torchmetrics does not find transformers.

    torchmetrics imports `transformers.AutoModel` for BERTScore as soon as it is imported itself: about a
    second and 70 MB for each run of a small model. Its availability check is answered "no" meanwhile.
    """
    from lightning_utilities.core.imports import RequirementCache

    original = RequirementCache.__bool__

    def available(self: RequirementCache) -> bool:
        return not (self.requirement or "").startswith("transformers") and original(self)

    RequirementCache.__bool__ = available  # type: ignore[method-assign]
    try:
        yield
    finally:
        RequirementCache.__bool__ = original  # type: ignore[method-assign]
