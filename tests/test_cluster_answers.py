"""Training on clusters: against the same loss on clusters, and products done by hand."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from emoji_pred import runs
from emoji_pred.cluster_answers import ClusterLoss, Clusters, answer_with_labels
from emoji_pred.data.prepare import load_corpus
from emoji_pred.losses import CrossEntropy, Focal, WeightedCrossEntropy
from emoji_pred.run import RunResult

COUNTS = np.array([30, 5, 7, 10, 15])
OF = (0, 1, 2, 0, 1)
CLUSTERS = Clusters.by_frequency(OF, COUNTS)


def test_shares_by_hand() -> None:
    assert CLUSTERS.shares == pytest.approx((30 / 40, 5 / 20, 1.0, 10 / 40, 15 / 20))
    assert CLUSTERS.count == 3
    assert CLUSTERS.class_counts(COUNTS).tolist() == [40, 20, 7]
    assert Clusters.from_plain(json.loads(json.dumps(CLUSTERS.plain()))) == CLUSTERS


def test_a_class_without_training_rows_stays_possible() -> None:
    assert Clusters.by_frequency((0, 0, 1), np.array([9, 0, 3])).shares == pytest.approx((0.9, 0.1, 1.0))


def test_probabilities_are_those_of_the_cluster_times_the_share() -> None:
    torch.manual_seed(0)
    network = nn.Linear(4, 3)
    inputs = torch.randn(6, 4)
    of_clusters = network(inputs).softmax(1)
    answered = answer_with_labels(network, CLUSTERS)(inputs).softmax(1)
    expected = torch.stack(
        [of_clusters[:, k] * share for k, share in zip(OF, CLUSTERS.shares, strict=True)], 1
    )
    torch.testing.assert_close(answered, expected)
    torch.testing.assert_close(answered.sum(1), torch.ones(6))


def test_the_weights_keep_their_names() -> None:
    network = nn.Linear(4, 3)
    assert set(answer_with_labels(network, CLUSTERS).state_dict()) == {"weight", "bias"}


@pytest.mark.parametrize(
    "loss",
    [
        CrossEntropy(label_smoothing=0.1),
        WeightedCrossEntropy(class_weights=torch.tensor([1.0, 2.0, 4.0])),
        Focal(class_weights=torch.tensor([1.0, 2.0, 4.0]), gamma=2.0),
    ],
    ids=lambda loss: type(loss).__name__,
)
def test_training_is_that_on_clusters(loss: nn.Module) -> None:
    torch.manual_seed(1)
    network, inputs, targets = nn.Linear(4, 3), torch.randn(50, 4), torch.randint(0, 5, (50,))
    alone = copy.deepcopy(network)
    of = torch.tensor(OF)[targets]
    expected = loss(alone(inputs), of)
    expected.backward()
    wrapped = ClusterLoss(loss, CLUSTERS)
    found = wrapped(answer_with_labels(network, CLUSTERS)(inputs), targets)
    found.backward()
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(network.weight.grad, alone.weight.grad)
    torch.testing.assert_close(wrapped.normaliser(targets), loss.normaliser(of))  # type: ignore[operator]


def test_a_loss_that_does_not_say_is_a_mean_over_rows() -> None:
    assert float(ClusterLoss(nn.CrossEntropyLoss(), CLUSTERS).normaliser(torch.tensor([0, 4, 2]))) == 3


# --- a whole run


def test_a_run_answers_with_labels_by_their_frequency(
    train: Callable[..., RunResult], quick: Callable[..., list[str]]
) -> None:
    plain = train(*quick("cnn"))
    names = plain.result["label_names"]
    done = train(*quick("cnn", f"data.clusters={[names[:3], names[5:7]]}"))
    assert done.directory != plain.directory
    assert done.result["label_names"] == names
    assert done.result["parameters"]["total"] < plain.result["parameters"]["total"]  # fewer outputs

    counts = load_corpus(done.result["config"]["data"], Path()).class_counts("train")
    for _, _, probabilities in runs.read_predictions(done.directory / runs.PREDICTIONS).values():
        assert probabilities.shape[1] == len(names)
        np.testing.assert_allclose(probabilities.sum(1), 1, rtol=1e-5)
        for first, second in ((0, 1), (1, 2), (5, 6)):
            ratio = probabilities[:, first] / probabilities[:, second]
            np.testing.assert_allclose(ratio, counts[first] / counts[second], rtol=1e-4)

    checkpoint = torch.load(done.directory / runs.CHECKPOINT, weights_only=True)
    assert Clusters.from_plain(checkpoint["emoji_pred"]["clusters"]).count == len(names) - 3
    unclustered = torch.load(plain.directory / runs.CHECKPOINT, weights_only=True)
    assert "clusters" not in unclustered["emoji_pred"]
    assert set(checkpoint["state_dict"]) == set(unclustered["state_dict"])
