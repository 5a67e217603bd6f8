"""`Head`: all that was learned, in one file of numbers: from features to an answer.

A head belongs to the language models that read its training texts; another of the same shape is
taken and the difference said (`gnomon.detect.detection.judge`). The file is a .npz whose entry
`head` is JSON; nothing in it is code, and what is not as it should be is refused.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from gnomon.detect.archive import read_arrays
from gnomon.detect.boundary_model import BoundaryModel, new_parameters
from gnomon.detect.features import FEATURES, sentence_features
from gnomon.detect.probes import Probes
from gnomon.detect.reader import Reading
from gnomon.detect.text_model import TextModel
from gnomon.errors import DataError, ModelError
from gnomon.models.model import Model
from gnomon.whole_file import whole_file

FORMAT = "gnomon detect head 3"
DEFAULT_HEAD = Path(__file__).parent / "head.npz"
# Beyond these no training comes, and within them nothing overflows.
_LARGEST = 1e6
_SMALLEST_SCALE = 0.9e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """What holds for the answers with one reader."""

    level: float  # of the conformal interval
    threshold: float  # a text with a lower probability of any machine text is called human


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    probes: Probes
    boundary: BoundaryModel
    calibrations: Mapping[str, Calibration]  # by the names of the models that read its texts
    coverage: float  # that the levels give, as a share
    kinds: TextModel | None = None  # who wrote a whole text
    facts: Mapping[str, Any] = field(default_factory=dict)  # data and figures, for people

    @property
    def readers(self) -> tuple[str, ...]:
        """The names of the models that read its training texts."""
        return tuple(self.calibrations)

    def calibration(self, reader: str) -> Calibration:
        """That of `reader`; of one that the head does not know, the most careful that there is."""
        if reader in self.calibrations:
            return self.calibrations[reader]
        known = self.calibrations.values()
        return Calibration(
            level=max(each.level for each in known),
            threshold=max(each.threshold for each in known),
        )

    def features(self, reading: Reading, sentences: Sequence[str]) -> np.ndarray:
        """f32 [sentences, features] of what was read with this head's layers, whose states may have
        been projected by its probes.
        """
        states = reading.states
        probed = self.probes(states) if states.ndim == 3 else states
        return np.concatenate([sentence_features(reading, sentences), probed], axis=1)

    def require_fit(self, model: Model) -> None:
        """Raises ModelError if `model` cannot read for this head."""
        config, needed = model.config, self.probes
        if config.hidden_size != needed.hidden or config.num_layers <= max(
            needed.layers, default=0
        ):
            raise ModelError(
                f"{model.name} has {config.num_layers} layers of width {config.hidden_size}; this "
                f"head learned with {' and '.join(self.readers)}, of width {needed.hidden}: read "
                "with that, or train a head for this model (gnomon detect train)"
            )

    def save(self, path: Path | str) -> None:
        """Write the head. Raises OutputError if that cannot be done."""
        about = {
            "format": FORMAT,
            "features": list(FEATURES),
            "layers": list(self.probes.layers),
            "calibrations": {name: asdict(each) for name, each in self.calibrations.items()},
            "coverage": self.coverage,
            "kinds": None if self.kinds is None else list(self.kinds.names),
            "facts": dict(self.facts),
        }
        arrays: dict[str, Any] = {
            "probes_mean": self.probes.mean,
            "probes_directions": self.probes.directions,
            "mean": self.boundary.mean,
            "scale": self.boundary.scale,
        }
        for name in self.boundary.members[0]:
            arrays[f"member_{name}"] = np.stack([m[name] for m in self.boundary.members])
        if self.kinds is not None:
            arrays |= {f"kinds_{k}": getattr(self.kinds, k) for k in ("mean", "scale", "w", "c")}
        with whole_file(Path(path)) as file:
            np.savez_compressed(file, head=np.array(json.dumps(about)), **arrays)


def load_head(path: Path | str = DEFAULT_HEAD) -> Head:
    """The head in `path`, by default the one that comes with gnomon. Raises DataError if it is not
    one.
    """
    try:
        arrays = read_arrays(path)
        about = _about(arrays.pop("head"))
        if about.get("format") != FORMAT or about.get("features") != list(FEATURES):
            raise DataError(f"{path} is of another version; train it again (gnomon detect train)")
        return _assemble(about, arrays)
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error
    except KeyError as error:
        raise _no_head(path, f"it has no entry {error}") from error
    except ValueError as error:
        raise _no_head(path, error) from error


def _no_head(path: Path | str, what: object) -> DataError:
    return DataError(f"{path} is not a head that gnomon detect train wrote: {what}")


def _about(entry: np.ndarray) -> dict[str, Any]:
    """What the file says of itself."""
    if entry.shape != () or entry.dtype.kind != "U":
        raise ValueError("its entry head is not one text")
    try:
        # Decoded here: numpy makes texts of characters that do not exist.
        about = json.loads(entry.tobytes().decode("utf-32-le"))
    except RecursionError as error:
        raise ValueError("its entry head is nested too deeply") from error
    if not isinstance(about, dict):
        raise ValueError("its entry head is no JSON object")
    return about


def _assemble(about: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Head:
    layers, kinds, facts = about["layers"], about["kinds"], about["facts"]
    if not _is_list(layers, int) or layers != sorted(set(layers)) or min(layers, default=0) < 0:
        raise ValueError(f"its layers are {layers!r}; numbers from 0 that rise were expected")
    if kinds is not None and (not _is_list(kinds, str) or len(set(kinds)) < max(len(kinds), 2)):
        raise ValueError(f"its kinds are {kinds!r}; two names or more were expected")
    if not isinstance(facts, dict):
        raise ValueError(f"its facts are {facts!r}; an object was expected")
    _require_numbers(arrays, layers=len(layers), kinds=0 if kinds is None else len(kinds))
    members = {k.removeprefix("member_"): v for k, v in arrays.items() if k.startswith("member_")}
    return Head(
        probes=Probes(
            layers=tuple(layers),
            mean=arrays["probes_mean"],
            directions=arrays["probes_directions"],
        ),
        boundary=BoundaryModel(
            mean=arrays["mean"],
            scale=arrays["scale"],
            members=tuple(
                {name: stack[i] for name, stack in members.items()}
                for i in range(len(members["score_w"]))
            ),
        ),
        calibrations=_calibrations(about["calibrations"]),
        coverage=_share(about["coverage"], "coverage"),
        kinds=None
        if kinds is None
        else TextModel(
            names=tuple(kinds), **{k: arrays[f"kinds_{k}"] for k in ("mean", "scale", "w", "c")}
        ),
        facts=facts,
    )


def _is_list(value: Any, kind: type) -> bool:
    return isinstance(value, list) and all(type(each) is kind for each in value)


def _calibrations(entry: Any) -> dict[str, Calibration]:
    if not isinstance(entry, dict) or not entry or "" in entry:
        raise ValueError(f"its calibrations are {entry!r}; at least one reader was expected")
    found = {}
    for reader, numbers in entry.items():
        if not isinstance(numbers, dict):
            raise ValueError(f"its calibration for {reader} is {numbers!r}; an object was expected")
        level = _share(numbers["level"], f"level for {reader}", least=0)
        threshold = _share(numbers["threshold"], f"threshold for {reader}")
        found[reader] = Calibration(level=level, threshold=threshold)
    return found


def _share(value: Any, what: str, *, least: float = 1e-300) -> float:
    if type(value) not in (int, float) or not least <= value <= 1:
        kind = "above 0" if least else "from 0"
        raise ValueError(f"its {what} is {value!r}; a number {kind} up to 1 was expected")
    return float(value)


def _require_numbers(arrays: Mapping[str, np.ndarray], *, layers: int, kinds: int) -> None:
    """Raises ValueError unless there are all arrays that a head has, of shapes that fit together,
    and numbers that training can come to.
    """
    hidden = arrays["probes_mean"].shape[-1:]
    outline = arrays["member_score_w"].shape  # [members, features, units]
    if not all(hidden) or len(outline) != 3 or not all(outline):
        raise ValueError("the shapes of its arrays do not fit together")
    shapes = _shapes(layers=layers, hidden=hidden, outline=outline, kinds=kinds)
    if unknown := sorted(set(arrays) - set(shapes)):
        raise ValueError(f"it has entries that no head has: {', '.join(unknown)}")
    for name, shape in shapes.items():
        array = arrays[name]
        if array.dtype != np.float32 or array.shape != shape:
            raise ValueError(
                f"its entry {name} is {array.dtype} of shape {array.shape}; float32 of shape "
                f"{shape} was expected"
            )
        if not (np.abs(array) <= _LARGEST).all():
            raise ValueError(f"its entry {name} holds numbers that are not finite, or too large")
        if name.endswith("scale") and array.min() < _SMALLEST_SCALE:
            raise ValueError(f"its entry {name} holds scales that are too small")


def _shapes(
    *, layers: int, hidden: tuple[int, ...], outline: tuple[int, ...], kinds: int
) -> dict[str, tuple[int, ...]]:
    """Of every array of a head."""
    width, (members, _, units) = len(FEATURES) + layers, outline
    fresh = new_parameters(width, hidden=units, rng=np.random.default_rng(0))
    shapes = {f"member_{name}": (members, *value.shape) for name, value in fresh.items()}
    shapes |= {"probes_mean": (layers, *hidden), "probes_directions": (layers, *hidden)}
    shapes |= {"mean": (width,), "scale": (width,)}
    if kinds:
        shapes |= {"kinds_mean": (2 * width,), "kinds_scale": (2 * width,)}
        shapes |= {"kinds_w": (2 * width, kinds), "kinds_c": (kinds,)}
    return shapes
