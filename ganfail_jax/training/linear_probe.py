"""One linear layer on frozen features: multinomial logistic regression (Tousi 2021, sec. 3.2).

Minimises the weighted mean cross-entropy plus penalty / 2 times the squared norm of the kernel (not
of the bias), on features standardised by the training moments, over the whole training set at once
in float64. What is returned takes features as they are: the standardisation is folded in.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import scipy
from jaxtyping import Float, Int
from scipy.special import log_softmax
from threadpoolctl import threadpool_limits

PENALTIES = tuple(10.0 ** np.arange(2, -2.1, -0.5))  # tried by `choose`, from the strongest on
PATIENCE = 2  # so many in a row that are worse than the best end the search: weak ones cost most
FOLDS = 5
GRADIENT, ITERATIONS = 1e-6, 2_000  # where L-BFGS stops


class Probe(NamedTuple):
    """Logits are features @ kernel + bias."""

    kernel: Float[np.ndarray, "d k"]
    bias: Float[np.ndarray, " k"]

    def logits(self, features: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n k"]:
        return features.astype(np.float64) @ self.kernel + self.bias


class Choice(NamedTuple):
    """The outcome of cross-validation."""

    penalty: float
    penalties: tuple[float, ...]
    losses: Float[np.ndarray, " p"]  # weighted mean cross-entropy of the folds left out


def sample_weights(
    labels: Int[np.ndarray, " n"], num_classes: int, *, balance: bool
) -> Float[np.ndarray, " n"]:
    """Weights that sum to 1; balanced: so do those of every class, to 1 / k."""
    if not balance:
        return np.full(len(labels), 1 / len(labels))
    return 1 / (num_classes * np.bincount(labels, minlength=num_classes))[labels]


def cross_entropy(
    logits: Float[np.ndarray, "n k"],
    labels: Int[np.ndarray, " n"],
    weights: Float[np.ndarray, " n"],
) -> float:
    """Weighted sum of minus the log-probabilities of the labels."""
    return -float(weights @ log_softmax(logits, axis=1)[np.arange(len(labels)), labels])


def objective(
    flat: Float[np.ndarray, " p"],
    inputs: Float[np.ndarray, "n d"],
    labels: Int[np.ndarray, " n"],
    weights: Float[np.ndarray, " n"],
    penalty: float,
) -> tuple[float, Float[np.ndarray, " p"]]:
    """What is minimised, and its gradient, by [d+1,k] parameters, the bias last."""
    n, d = inputs.shape
    kernel, bias = np.split(flat.reshape(d + 1, -1), [d])
    logits = inputs @ kernel + bias
    value = cross_entropy(logits, labels, weights) + penalty / 2 * np.square(kernel).sum()
    error = np.exp(log_softmax(logits, axis=1))
    error[np.arange(n), labels] -= 1
    error *= weights[:, None]
    gradient = np.concatenate([inputs.T @ error + penalty * kernel, error.sum(0, keepdims=True)])
    return value, gradient.ravel()


def fit(
    features: Float[np.ndarray, "n d"],
    labels: Int[np.ndarray, " n"],
    num_classes: int,
    penalties: Sequence[float],
    *,
    balance: bool,
) -> Iterator[Probe]:
    """The optimum for each penalty, when it is taken; each search starts from the one before.

    Its slopes are below GRADIENT, unless that took more than ITERATIONS steps.

    A kernel that is penalised lies in the span of the samples. With fewer samples than features it
    is sought there: the same optimum, by fewer numbers.
    """
    features = features.astype(np.float64)
    mean, deviation = features.mean(axis=0), features.std(axis=0)
    deviation = np.where(deviation > 0, deviation, 1)
    inputs = (features - mean) / deviation
    n, d = inputs.shape
    basis = np.linalg.qr(inputs.T)[0] if n < d else np.eye(d)  # [d, min(n, d)]
    inputs = inputs @ basis
    weights = sample_weights(labels, num_classes, balance=balance)
    flat = np.zeros((inputs.shape[1] + 1) * num_classes)
    for penalty in penalties:
        optimum = scipy.optimize.minimize(
            objective,
            flat,
            (inputs, labels, weights, penalty),
            method="L-BFGS-B",
            jac=True,
            options={"maxiter": ITERATIONS, "maxfun": ITERATIONS, "gtol": GRADIENT, "ftol": 0},
        )
        flat = optimum.x
        *kernel, bias = flat.reshape(-1, num_classes)
        kernel = basis @ np.asarray(kernel) / deviation[:, None]
        yield Probe(kernel, bias - mean @ kernel)


def folds(
    labels: Int[np.ndarray, " n"], num_classes: int, rng: np.random.Generator
) -> Int[np.ndarray, " n"]:
    """The fold of every sample; each class is spread evenly over FOLDS."""
    fold = np.zeros(len(labels), np.int64)
    for label in range(num_classes):
        mine = rng.permutation(np.flatnonzero(labels == label))
        fold[mine] = np.arange(len(mine)) % FOLDS
    return fold


@threadpool_limits.wrap(limits=1, user_api="blas")  # threads cost these small products more
def choose(
    features: Float[np.ndarray, "n d"],
    labels: Int[np.ndarray, " n"],
    num_classes: int,
    *,
    balance: bool,
    rng: np.random.Generator,
) -> tuple[Probe, Choice]:
    """The probe of all samples, its penalty the one of least cross-entropy on folds left out."""
    fold, losses = folds(labels, num_classes, rng), list[float]()
    parts = [fold == k for k in range(FOLDS)]
    paths = [fit(features[~p], labels[~p], num_classes, PENALTIES, balance=balance) for p in parts]
    for probes in zip(*paths, strict=True):
        loss = 0.0
        for probe, out in zip(probes, parts, strict=True):
            weights = sample_weights(labels[out], num_classes, balance=balance) / FOLDS
            loss += cross_entropy(probe.logits(features[out]), labels[out], weights)
        losses.append(loss)
        if np.argmin(losses) + PATIENCE < len(losses):
            break
    best = int(np.argmin(losses))
    *_, probe = fit(features, labels, num_classes, PENALTIES[: best + 1], balance=balance)
    return probe, Choice(PENALTIES[best], PENALTIES[: len(losses)], np.asarray(losses))
