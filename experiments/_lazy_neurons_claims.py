"""What a record of `lazy-neurons` says of the theory and of the published courses."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from scipy import stats

from experiments._framework import Claim, Record, Verdict, expected
from experiments._lazy_networks import N_CLASSES, NETWORKS, limits, text
from experiments._lazy_neurons_measure import (
    TASKS,
    THEORY,
    Setting,
    base,
    layers,
    model_score,
    settings,
)

__all__ = ["PAPER", "judge", "name"]

PAPER = expected("li2022")
PROJECT = "hypothesis of this project"
OTHERS = (
    "Small networks on digits, not T5 and ViT-B/16: directions, not values, are compared, with the "
    "untrained twins."
)
LABELS = {"vit": "ViT", "mixer": "Mixer", "mlp": "MLP"}
#: What layers before training may differ from a half, in points; set before measuring.
TOLERANCE = 5.0


def judge(record: Record) -> list[Claim]:
    """Judge theory, init, learning rates, tasks, width, depth and firing rates."""
    return [
        _initial(record),
        _positive(record),
        _slope(record),
        _squared(record),
        _somewhere(record),
        _everywhere(record),
        _rates(record),
        *(_task(record, task) for task in TASKS[1:]),
        _wider(record, "nonzero", "Wider layers have a smaller share of active units", -1),
        _wider(record, "n_active", "Wider layers have more active units", 1),
        _deeper(record),
        _shape(record),
        _lazy(record),
        _dead(record),
        _splits(record),
        *_absent(),
    ]


def name(setting: Setting, *, task: bool = True) -> str:
    """Say which setting it is."""
    said = f"{LABELS[setting.network]} {setting.optimizer} {setting.rate:g}"
    return f"{said}, {setting.task}" if task else said


def change(record: Record, setting: Setting, measure: str = "nonzero") -> np.ndarray:
    """Return trained less untrained of every seed, of the mean over layers."""
    after, before = (
        model_score(record, setting, measure, state) for state in ("trained", "untrained")
    )
    return after - before


def grid(record: Record) -> list[Setting]:
    """Return the settings that learn the true labels at the base size."""
    alike = {net: base(record.config, net) for net in NETWORKS}
    return [
        one
        for one in settings(record.config)
        if one == alike[one.network]._replace(optimizer=one.optimizer, rate=one.rate)
    ]


def _initial(record: Record) -> Claim:
    means = {
        net: model_score(record, base(record.config, net), state="untrained") for net in NETWORKS
    }
    return Claim(
        "Before training about half of the units are active",
        PAPER["initial"].cited,
        "50 % in any layer",
        "; ".join(f"{LABELS[net]} {text(values, '.1f')} %" for net, values in means.items()),
        all(abs(values.mean() - PAPER["initial"].value) <= TOLERANCE for values in means.values()),
        f"Means over layers and seeds, held to {TOLERANCE:g} points. Single layers of small "
        "networks lie further off.",
        "quick",
    )


def _theory(record: Record, kind: str) -> list[tuple[float, float, float]]:
    """Return scale, slope and standard error, of each scale."""
    found = record.arrays["theory slopes"][:, THEORY.index(kind)]
    return [(s, *map(float, one)) for s, one in zip(record.config.theory_scales, found)]


def _deviation(record: Record) -> float:
    """Return the standard errors that limits reach, 95 % over all scales together."""
    return float(stats.norm.ppf(1.0 - 0.025 / len(record.config.theory_scales)))


def _positive(record: Record) -> Claim:
    reach = _deviation(record)
    found = _theory(record, "cross-entropy")
    active = record.arrays["theory activations"] > 0
    above = np.mean(record.arrays["theory units"][:, active] > 0)
    return Claim(
        "The gradient at active units is positive on average, so that a step makes them smaller",
        PAPER["gradient"].cited,
        "above 0",
        "; ".join(f"s = {s:g}: slope {m / s**2:.3f} ± {e / s**2:.3f} s^2" for s, m, e in found),
        all(m - reach * e > 0.0 for _, m, e in found),
        f"Cross-entropy, {record.config.n_draws} draws of V, {N_CLASSES} classes. Mean gradients "
        f"above 0: {100 * above:.0f} % of the active units. This is about one step of gradient "
        "descent from random outgoing weights, not about AdamW or trained weights.",
        "quick",
    )


def _slope(record: Record) -> Claim:
    reach = _deviation(record)
    excess = record.arrays["theory excess"]
    limit = 1.0 - 1.0 / N_CLASSES
    stein = _theory(record, "stein")
    return Claim(
        "For cross-entropy the mean gradient is s^2 E[1 - sum p^2] times the activation, which "
        "tends to s^2 (1 - 1/C) for small s",
        PAPER["slope"].cited,
        f"{limit:g} s^2 for small s",
        "; ".join(
            f"s = {s:g}: {m / s**2:.3f} ± {e / s**2:.3f}, by Stein's lemma {b / s**2:.3f}"
            for (s, m, e), (_, b, _) in zip(_theory(record, "cross-entropy"), stein)
        ),
        bool((np.abs(excess[:, 0]) <= reach * excess[:, 1]).all())
        and all(b < limit * s**2 for s, b, _ in stein),
        "In units of s^2. The lemma holds at every s; its value is below the limit.",
        "quick",
    )


def _squared(record: Record) -> Claim:
    reach = _deviation(record)
    found = _theory(record, "squared error")
    return Claim(
        "For half the squared error the mean gradient is C s^2 times the activation",
        PAPER["slope"].cited,
        f"{N_CLASSES} s^2",
        "; ".join(f"s = {s:g}: {m / s**2:.2f} ± {e / s**2:.2f} s^2" for s, m, e in found),
        all(abs(m - N_CLASSES * s**2) <= reach * e for s, m, e in found),
        "Exact at every s; limits hold 95 % over the scales together.",
        "quick",
    )


def _said(record: Record, found: Iterable[Setting], *, task: bool = False) -> str:
    """Say the share before and after, of each setting."""
    return "; ".join(
        f"{name(one, task=task)}: {model_score(record, one, state='untrained').mean():.0f} to "
        f"{model_score(record, one).mean():.0f} %"
        for one in found
    )


def _somewhere(record: Record) -> Claim:
    """Judge whether every network becomes sparser in some setting of the grid."""
    found = grid(record)
    falls = {
        net: [
            one
            for one in found
            if one.network == net and limits(change(record, one), len(found))[2] < 0.0
        ]
        for net in NETWORKS
    }
    rises = [one for one in found if limits(change(record, one), len(found))[1] > 0.0]
    verdict: Verdict | bool = all(falls.values())
    if verdict and rises:
        verdict = Verdict.CAVEAT
    against = ", ".join(name(one, task=False) for one in rises) or "none"
    return Claim(
        "Training makes each kind of network sparser, in at least one setting",
        PAPER["networks"].cited,
        f"50 % to {PAPER['vit'].value} % (ViT-B/16)",
        _said(record, found),
        verdict,
        f"{OTHERS} Settings in which the share rises: {against}. Limits hold 95 % over the "
        f"{len(found)} settings together.",
        "paper",
    )


def _everywhere(record: Record) -> Claim:
    found = grid(record)
    not_lower = [one for one in found if limits(change(record, one))[2] >= 0.0]
    return Claim(
        "Training makes activations sparser whatever the optimizer's settings",
        f"{PAPER['networks'].cited}, as one may read it",
        "sparsity everywhere",
        "; ".join(f"{name(one, task=False)} {text(change(record, one))}" for one in found),
        not not_lower,
        f"Points, trained less untrained. No fall is shown for {len(not_lower)} of {len(found)} "
        "settings.",
        "paper",
    )


def _rates(record: Record) -> Claim:
    rates = record.config.rates
    slow, fast = min(rates), max(rates)
    found = {
        net: model_score(record, base(record.config, net, rate=fast))
        - model_score(record, base(record.config, net, rate=slow))
        for net in NETWORKS
    }
    return Claim(
        "A larger learning rate leaves fewer units active",
        PROJECT,
        "a difference below 0",
        "; ".join(f"{LABELS[net]} {text(values)}" for net, values in found.items()),
        all(limits(values)[2] < 0.0 for values in found.values()),
        f"Points, AdamW at {fast:g} less {slow:g}, after {record.config.n_epochs} epochs of each.",
        "paper",
    )


def _task(record: Record, task: str) -> Claim:
    """Judge whether networks that learn something else become sparser too."""
    found = {net: base(record.config, net, task=task) for net in ("vit", "mlp")}
    true = {net: base(record.config, net) for net in found}
    falls = all(limits(change(record, one))[2] < 0.0 for one in found.values())
    return Claim(
        f"Networks that learn {task} become sparser too",
        PAPER["random"].cited,
        "sparser, without a marked change",
        "; ".join(
            f"{LABELS[net]} {text(change(record, one))}, of the units "
            f"{model_score(record, one, 'dead').mean():.0f} % never active; true labels "
            f"{text(change(record, true[net]))}"
            for net, one in found.items()
        ),
        Verdict.CAVEAT if falls else False,
        f"Points, trained less untrained, AdamW at {record.config.rate:g}, a rate that was taken "
        "because smaller ones had changed less in a pilot; measured on the kind of input that was "
        f"learned. {OTHERS}",
        "paper",
    )


def _slopes(
    record: Record, net: str, field: str, sizes: tuple[int, ...],
    value: Callable[[Setting, str], np.ndarray],
) -> dict[str, np.ndarray]:  # fmt: skip
    """Return the slope over log2 of a size, of every seed, trained and untrained."""
    return {
        state: np.polyfit(
            np.log2(sizes),
            np.stack([value(base(record.config, net, **{field: size}), state) for size in sizes]),
            1,
        )[0]
        for state in ("trained", "untrained")
    }


def _wider(record: Record, measure: str, statement: str, sign: int) -> Claim:
    sizes = record.config.widths
    found = {
        net: _slopes(
            record, net, "d_ff", sizes,
            lambda one, state: model_score(record, one, measure, state),
        )
        for net in ("vit", "mlp")
    }  # fmt: skip
    trivial = "" if measure == "nonzero" else " Untrained networks have more too, half of them all."
    return Claim(
        statement,
        PAPER["width"].cited,
        PAPER["width"].value,
        "; ".join(
            f"{LABELS[net]} {text(both['trained'])}, untrained {text(both['untrained'])}"
            for net, both in found.items()
        ),
        all(
            limits(sign * both["trained"])[1] > 0.0
            and (measure != "nonzero" or limits(both["untrained"] - both["trained"])[1] > 0.0)
            for both in found.values()
        ),
        f"{'Points' if measure == 'nonzero' else 'Units'} for each doubling of the width, "
        f"{min(sizes)} to {max(sizes)}.{trivial}",
        "paper",
    )


def _deeper(record: Record) -> Claim:
    sizes = record.config.depths

    def sparsest(one: Setting, state: str) -> np.ndarray:
        return np.asarray(layers(record, one, "nonzero", state).min(axis=1))

    found = {net: _slopes(record, net, "n_layers", sizes, sparsest) for net in ("vit", "mlp")}
    return Claim(
        "The deeper the network, the sparser its sparsest layer",
        PAPER["depth"].cited,
        PAPER["depth"].value,
        "; ".join(
            f"{LABELS[net]} {text(both['trained'])}, untrained {text(both['untrained'])}"
            for net, both in found.items()
        ),
        all(
            limits(both["trained"])[2] < 0.0
            and limits(both["trained"] - both["untrained"])[2] < 0.0
            for both in found.values()
        ),
        f"Points for each doubling of the depth, {min(sizes)} to {max(sizes)} layers. It must fall "
        "more than in the untrained twins: of more layers the sparsest is sparser by chance.",
        "paper",
    )


def _shape(record: Record) -> Claim:
    deepest = base(record.config, "vit", n_layers=max(record.config.depths))
    depth = deepest.n_layers
    if depth < 3:
        return Claim(
            "The first and the last layer are the densest", PAPER["shape"].cited,
            PAPER["shape"].value, None, Verdict.NOT_TESTED, "It takes three layers at least.",
            "paper",
        )  # fmt: skip

    def middle(state: str) -> np.ndarray:
        found = layers(record, deepest, "nonzero", state)
        return np.asarray(found[:, 1:-1].max(axis=1) - found[:, [0, -1]].min(axis=1))

    return Claim(
        "The first and the last layer are the densest",
        PAPER["shape"].cited,
        PAPER["shape"].value,
        f"{text(middle('trained'))}; untrained {text(middle('untrained'))}",
        bool(limits(middle("trained"))[2] < 0.0),
        f"Points: densest of the layers between, less the sparser of the two ends; ViT of {depth} "
        "layers.",
        "paper",
    )


def _lazy(record: Record) -> Claim:
    found = {net: base(record.config, net) for net in ("vit", "mlp")}
    return Claim(
        "Training raises the share of neurons that fire less than 10 % of the time",
        PROJECT,
        "a difference above 0; 93.5 % in the first layer of T5-Base",
        "; ".join(
            f"{LABELS[net]} {model_score(record, one, 'lazy').mean():.1f} %, trained less untrained"
            f" {text(change(record, one, 'lazy'))}"
            for net, one in found.items()
        ),
        all(limits(change(record, one, "lazy"))[1] > 0.0 for one in found.values()),
        f"Means over layers, held-out images, AdamW at {record.config.rate:g}.",
        "paper",
    )


def _dead(record: Record) -> Claim:
    found = {net: base(record.config, net) for net in ("vit", "mlp")}
    worst = max(model_score(record, one, "dead").max() for one in found.values())
    return Claim(
        "No neuron is dead",
        PAPER["firing"].cited,
        "0 %",
        "; ".join(
            f"{LABELS[net]} {model_score(record, one, 'dead').mean():.2f} %, untrained "
            f"{model_score(record, one, 'dead', 'untrained').mean():.2f} %"
            for net, one in found.items()
        ),
        bool(worst == 0.0),
        f"Never active on {record.config.n_test} held-out images, 17 tokens of each in the ViT, "
        "one row of each in the MLP; the paper has 409,600 tokens, on which rarer firing shows.",
        "paper",
    )


def _splits(record: Record) -> Claim:
    found = {
        net: model_score(record, base(record.config, net), "nonzero_seen")
        - model_score(record, base(record.config, net))
        for net in NETWORKS
    }
    return Claim(
        "Images that were trained on and held-out ones give about the same share",
        PAPER["splits"].cited,
        PAPER["splits"].value,
        "; ".join(f"{LABELS[net]} {text(values, '+.2f')}" for net, values in found.items()),
        all(limits(values)[1] > -1.0 and limits(values)[2] < 1.0 for values in found.values()),
        "Points, seen less held out; equal if the limits lie within 1 point, set before measuring.",
        "paper",
    )


def _absent() -> list[Claim]:
    t5, vit, firing = (PAPER[key] for key in ("t5_base", "vit", "firing"))
    reason = "Not reproduced offline: other data and networks of other sizes are needed."
    return [
        Claim("A trained T5-Base has these shares of active units", t5.cited,
              ", ".join(f"{key} {value} %" for key, value in t5.value.items()), None,
              Verdict.NOT_TESTED, reason, "smoke"),
        Claim("A trained ViT-B/16 has this share of active units", vit.cited, f"{vit.value} %",
              None, Verdict.NOT_TESTED, reason, "smoke"),
        Claim("Neurons of T5-Base fire this rarely", firing.cited,
              ", ".join(f"{key} of the time: {value:g} %" if key != "dead" else f"dead: {value:g} %"
                        for key, value in firing.value.items()),
              None, Verdict.NOT_TESTED, reason, "smoke"),
    ]  # fmt: skip
