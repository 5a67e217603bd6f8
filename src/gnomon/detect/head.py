"""`Head`: all that was learned, in one file of numbers: from features to an answer.

A head belongs to the language models that read its training texts; another of the same shape is
taken and the difference said (`gnomon.detect.detection.judge`). The file is a .npz whose entry
`head` is JSON; nothing in it is code, and what is not as it should be is refused.
"""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from gnomon.detect.boundary_model import BoundaryModel
from gnomon.detect.features import FEATURES, sentence_features
from gnomon.detect.probes import Probes
from gnomon.detect.reader import Reading
from gnomon.detect.text_model import TextModel
from gnomon.errors import DataError, ModelError, OutputError
from gnomon.models.model import Model

FORMAT = "gnomon detect head 3"
DEFAULT_HEAD = Path(__file__).parent / "head.npz"


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
        """f32 [sentences, features] of what was read with this head's layers."""
        return np.concatenate(
            [sentence_features(reading, sentences), self.probes(reading.states)], axis=1
        )

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
        path = Path(path)
        temporary = path.with_name(path.name + ".part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with temporary.open("wb") as file:
                np.savez_compressed(file, head=np.array(json.dumps(about)), **arrays)
            os.replace(temporary, path)
        except OSError as error:
            raise OutputError(f"{path}: cannot be written: {error.strerror or error}") from error


def load_head(path: Path | str = DEFAULT_HEAD) -> Head:
    """The head in `path`, by default the one that comes with gnomon. Raises DataError if it is not
    one.
    """
    try:
        with Path(path).open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        about = json.loads(str(arrays.pop("head")))
        if about["format"] != FORMAT or about["features"] != list(FEATURES):
            raise DataError(f"{path} is of another version; train it again (gnomon detect train)")
        return _assemble(about, arrays)
    except FileNotFoundError as error:
        raise DataError(f"{path}: there is no such file") from error
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} is not a head that gnomon detect train wrote: {error}") from error


def _assemble(about: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Head:
    if any(not np.isfinite(array).all() for array in arrays.values()):
        raise ValueError("it holds numbers that are not finite")
    stacks = {k.removeprefix("member_"): v for k, v in arrays.items() if k.startswith("member_")}
    probes = Probes(
        layers=tuple(about["layers"]),
        mean=arrays["probes_mean"],
        directions=arrays["probes_directions"],
    )
    mean, scale = arrays["mean"], arrays["scale"]
    width = len(FEATURES) + len(probes.layers)
    is_whole = probes.mean.shape == probes.directions.shape == (len(probes.layers), probes.hidden)
    if (
        not is_whole
        or not mean.shape == scale.shape == (width,)
        or stacks["score_w"].shape[1] != width
    ):
        raise ValueError("the shapes of its arrays do not fit together")
    kinds = about["kinds"]
    return Head(
        probes=probes,
        boundary=BoundaryModel(
            mean=mean,
            scale=scale,
            members=tuple(
                {name: stack[i] for name, stack in stacks.items()}
                for i in range(len(stacks["score_w"]))
            ),
        ),
        calibrations={
            str(name): Calibration(level=float(each["level"]), threshold=float(each["threshold"]))
            for name, each in about["calibrations"].items()
        },
        coverage=float(about["coverage"]),
        kinds=None
        if kinds is None
        else TextModel(
            names=tuple(kinds), **{k: arrays[f"kinds_{k}"] for k in ("mean", "scale", "w", "c")}
        ),
        facts=about["facts"],
    )
