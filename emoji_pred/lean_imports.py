"""Import Lightning without what torchmetrics loads for parts that are unused here."""

from collections.abc import Iterator
from contextlib import contextmanager

UNUSED = ("transformers", "scipy", "matplotlib")  # for BERTScore, an old name of a window, its plots


@contextmanager
def lean_imports() -> Iterator[None]:
    """While this holds, torchmetrics does not find transformers, scipy and matplotlib.

    It imports them as soon as it is imported itself: about a second and 70 MB for transformers, one more
    and 80 MB for the others, in each run of a small model. Its checks of what is available are answered "no"
    meanwhile. Its metrics have no `plot` afterwards.
    """
    from lightning_utilities.core import imports

    hidden: tuple[str, ...] = UNUSED
    of_requirement, of_package = imports.RequirementCache.__bool__, imports.package_available

    def requirement_available(self: imports.RequirementCache) -> bool:
        return not (self.requirement or "").startswith(UNUSED) and of_requirement(self)

    def package_available(package_name: str) -> bool:  # modules imported meanwhile keep this very function
        return package_name not in hidden and of_package(package_name)

    imports.RequirementCache.__bool__ = requirement_available  # type: ignore[method-assign]
    imports.package_available = package_available  # type: ignore[assignment]
    try:
        yield
    finally:
        hidden = ()
        imports.RequirementCache.__bool__ = of_requirement  # type: ignore[method-assign]
        imports.package_available = of_package
