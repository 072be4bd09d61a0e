"""Label vectors of a network, their projections to a plane, their clusters (telegram paper, section 6)."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
from torch import nn

from emoji_pred.errors import UserError

PAPER_CLUSTERS, PAPER_CLASSES = 15, 62
TSNE_PERPLEXITY = 30.0  # scikit-learn's; of few classes less
UMAP_NEIGHBOURS = 15  # umap-learn's; of few classes less
UMAP_CLASSES = 4  # of fewer there is no graph of neighbours to lay out


def label_vectors(network: nn.Module, num_classes: int) -> np.ndarray:
    """The weights of the last linear layer: one row for each class, (C, D) float64.

    The paper takes its last layer, [512 x 62], as embeddings of the 62 emoji. A head that says itself which
    vectors are the labels' (`label_vectors`), such as one of two outputs a label, is asked.

    Raises:
        UserError: no linear layer of the network has as many outputs as there are classes.
    """
    own = getattr(getattr(network, "head", None), "label_vectors", None)
    if own is not None:
        vectors: np.ndarray = own().detach().cpu().double().numpy()
        return vectors
    layers = [
        module
        for module in network.modules()
        if isinstance(module, nn.Linear) and module.out_features == num_classes
    ]
    if not layers:
        raise UserError(
            f"{type(network).__name__} has no linear layer with {num_classes} outputs, whose weights would "
            "be the embeddings of the labels"
        )
    return layers[-1].weight.detach().cpu().double().numpy()


def project_all(
    vectors: np.ndarray, seed: int = 0
) -> tuple[dict[str, np.ndarray], dict[str, str], dict[str, str]]:
    """PCA, t-SNE and UMAP of label vectors.

    Args:
        vectors: (C, D).
        seed: of t-SNE and UMAP.

    Returns:
        Coordinates (C, 2) by name of the projection; a remark on each; why others are left out.
    """
    methods: dict[str, Callable[[np.ndarray, int], tuple[np.ndarray, str]]] = {
        **{"PCA": pca, "t-SNE": tsne, "UMAP": umap}
    }
    coordinates, remarks, missing = {}, {}, {}
    for name, method in methods.items():
        try:
            coordinates[name], remarks[name] = method(vectors, seed)
        except UserError as error:
            missing[name] = str(error)
    return coordinates, remarks, missing


def pca(vectors: np.ndarray, seed: int = 0) -> tuple[np.ndarray, str]:
    """The two principal components: (C, 2), and the share of the variance that each holds."""
    from sklearn.decomposition import PCA

    count = min(2, *vectors.shape)
    with warnings.catch_warnings():  # equal vectors have no variance to share
        warnings.simplefilter("ignore", RuntimeWarning)
        fitted = PCA(count, svd_solver="full").fit(vectors)
    flat = fitted.transform(vectors)
    shares = np.nan_to_num(fitted.explained_variance_ratio_)
    plane = np.pad(flat, ((0, 0), (0, 2 - count)))
    return plane, f"{' and '.join(f'{share:.0%}' for share in shares)} of the variance"


def tsne(vectors: np.ndarray, seed: int = 0) -> tuple[np.ndarray, str]:
    """t-SNE: (C, 2). Its perplexity must be less than the number of classes; a third of them is used.

    Raises:
        UserError: there is one class only.
    """
    from sklearn.manifold import TSNE

    count = len(vectors)
    if count < 2:
        raise UserError("one class has no neighbours")
    perplexity = min(TSNE_PERPLEXITY, max((count - 1) / 3, 0.5))
    distinct = min(vectors.shape) >= 2 and len(np.unique(vectors, axis=0)) > 2
    start = "pca" if distinct else "random"
    fitted = TSNE(2, perplexity=perplexity, init=start, random_state=seed, method="exact")
    return fitted.fit_transform(vectors).astype(float), f"perplexity {perplexity:.3g}"


def umap(vectors: np.ndarray, seed: int = 0) -> tuple[np.ndarray, str]:
    """UMAP: (C, 2).

    Raises:
        UserError: umap-learn is not installed, or there are too few classes.
    """
    count = len(vectors)
    if count < UMAP_CLASSES:
        raise UserError(f"UMAP needs {UMAP_CLASSES} classes or more, and there are {count}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of numba and of tensorflow, which is not asked for
            from umap import UMAP
    except ImportError:
        raise UserError("UMAP needs a package: pip install 'emoji_pred[figures]'") from None
    neighbours = min(UMAP_NEIGHBOURS, count - 1)
    # The spectral start needs more points than dimensions of its own.
    start = "spectral" if count > 10 else "random"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "n_jobs is 1 because of the seed" and the like
        fitted = UMAP(n_neighbors=neighbours, n_components=2, init=start, random_state=seed, n_jobs=1)
        return np.asarray(fitted.fit_transform(vectors), dtype=float), f"{neighbours} neighbours"


def default_clusters(num_classes: int) -> int:
    """The paper's 15 clusters of 62 emoji; of fewer classes as many in proportion, at least two."""
    in_proportion = round(num_classes * PAPER_CLUSTERS / PAPER_CLASSES)
    return min(num_classes, PAPER_CLUSTERS, max(2, in_proportion))


def cluster(vectors: np.ndarray, count: int, seed: int = 0) -> np.ndarray:
    """k-means: the cluster of each class, (C,) int; clusters are numbered by size, the largest 0.

    Raises:
        UserError: more clusters than classes, or less than one.
    """
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    if not 1 <= count <= len(vectors):
        raise UserError(f"--clusters {count}: there are {len(vectors)} classes")
    with warnings.catch_warnings():  # equal vectors make fewer clusters than asked for
        warnings.simplefilter("ignore", ConvergenceWarning)
        members = KMeans(count, n_init=10, random_state=seed).fit_predict(vectors)
    found, first, sizes = np.unique(members, return_index=True, return_counts=True)
    ranked = sorted(range(len(found)), key=lambda row: (-sizes[row], first[row]))
    number = {int(found[row]): place for place, row in enumerate(ranked)}
    return np.array([number[int(member)] for member in members])


def nearest_labels(vectors: np.ndarray, count: int = 3) -> list[list[tuple[int, float]]]:
    """For each class the classes whose vectors point most nearly the same way: (class, cosine)."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    directions = vectors / np.where(lengths == 0, 1, lengths)
    cosines = directions @ directions.T
    np.fill_diagonal(cosines, -np.inf)
    near = np.argsort(-cosines, axis=1, kind="stable")[:, : min(count, len(vectors) - 1)]
    return [[(int(other), float(cosines[row, other])) for other in near[row]] for row in range(len(vectors))]
