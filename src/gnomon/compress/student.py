"""A rounded model in training: its codes stand still, everything continuous about it can move.

`Student` is the `Layers` of `gnomon.compress.torch_forward` for coded weights. What moves is what
is stored anyway: scales of all codecs, codebooks of `aq`, norms and biases. Each is trained as a
factor `1 + p` or, for biases and codebooks, as a difference in units of its own size, so that one
step width suits them all.

    student = Student(encoded, plain)
    hidden = run_block(config, 0, student, hidden)           # [sequences, time, hidden_size]
    loss(hidden).backward()                                  # gradients in student.parameters()
    student.encoded(), student.vectors()                     # what was learned, ready to store
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gnomon.codecs import EncodedWeight
from gnomon.codecs.aq import indices
from gnomon.codecs.rotation import signs
from gnomon.codecs.trellis import coded_values, output_signs
from gnomon.compress.torch_forward import as_tensor
from gnomon.compress.torch_rotation import rotate


class Student(nn.Module):
    """Coded weights by name, norms and biases by theirs, all of them in training.

    Of what is `plain`, vectors are norms and biases; matrices (a router, a head that was not coded)
    stay as they are.
    """

    def __init__(self, encoded: Mapping[str, EncodedWeight], plain: Mapping[str, np.ndarray]):
        super().__init__()
        self.coded = {name: _LAYERS[weight.codec](weight) for name, weight in encoded.items()}
        self.trained = {
            name: TrainedVector(vector, is_factor=not name.endswith(".bias"))
            for name, vector in plain.items()
            if vector.ndim == 1
        }
        self.frozen = {name: as_tensor(each) for name, each in plain.items() if each.ndim > 1}
        # torch's own register, whose names may have no dots
        self.modules_in_order = nn.ModuleList([*self.coded.values(), *self.trained.values()])

    def linear(self, name: str, x: Tensor) -> Tensor:
        trained = self.trained.get(name.removesuffix(".weight") + ".bias")
        bias = None if trained is None else trained()
        if name in self.frozen:
            return F.linear(x, self.frozen[name], bias)
        y = self.coded[name](x)
        return y if bias is None else y + bias

    def rows(self, name: str, index: Tensor) -> Tensor:
        """Rows `index` of a table [vocab, width] that embeds tokens, [..., width]."""
        if name in self.frozen:
            return self.frozen[name][index]
        table = self.coded[name]
        assert isinstance(table, TrellisLayer | Int8Layer)
        return table.rows(index)

    def vector(self, name: str) -> Tensor:
        return self.trained[name]()

    def encoded(self) -> dict[str, EncodedWeight]:
        """The coded weights as they are now, in the form they are stored in."""
        return {name: layer.encoded() for name, layer in self.coded.items()}

    def vectors(self) -> dict[str, np.ndarray]:
        """Norms and biases as they are now, float32."""
        return {name: vector.stored() for name, vector in self.trained.items()}


class TrainedVector(nn.Module):
    """A vector that moves by a factor for each entry, or by differences in units of its size."""

    def __init__(self, vector: np.ndarray, *, is_factor: bool = True):
        super().__init__()
        start = torch.from_numpy(np.array(vector, np.float32))
        unit = start if is_factor else start.square().mean().sqrt().expand_as(start)
        self.start, self.unit = start, unit
        self.change = nn.Parameter(torch.zeros_like(start))

    def forward(self) -> Tensor:
        return self.start + self.unit * self.change

    def stored(self, dtype: type = np.float32) -> np.ndarray:
        return self().detach().numpy().astype(dtype)


class TrellisLayer(nn.Module):
    """y = S_out H(s ⊙ (T · R x)): T the coded values, R the rotation of inputs, s the scales.

    T stays in int8 and is widened for a product at a time: that a whole model fits in memory.
    """

    def __init__(self, encoded: EncodedWeight):
        super().__init__()
        self.source = encoded
        settings, tensors = encoded.settings, encoded.tensors
        values = np.ascontiguousarray(coded_values(encoded))  # int8 [out, in]
        self.values = torch.from_numpy(values)
        self.scales = TrainedVector(_float(tensors["scales"]))  # one, or one a row
        seed, columns = settings["input_seed"], encoded.shape[1]
        self.input_signs = None if seed is None else torch.from_numpy(signs(int(seed), columns))
        after = output_signs(encoded)
        self.output_signs = None if after is None else torch.from_numpy(after)
        self.observer: ProductObserver | None = None

    def forward(self, x: Tensor) -> Tensor:
        if self.input_signs is not None:
            x = rotate(x * self.input_signs)
        y = _Product.apply(x.flatten(0, -2), self).unflatten(0, x.shape[:-1])
        assert isinstance(y, Tensor)
        y = y * self.scales()
        return y if self.output_signs is None else rotate(y) * self.output_signs

    def rows(self, index: Tensor) -> Tensor:
        """Rows [..., in] of the matrix, for a table that is looked up in; its outputs stay put."""
        assert self.output_signs is None
        scales = self.scales().expand(len(self.values))
        x = self.values[index].float() * scales[index][..., None]
        return x if self.input_signs is None else rotate(x) * self.input_signs

    def replace_codes(self, codes: np.ndarray, values: Tensor) -> None:
        """Other codes for the same settings, and the values int8 [out, in] they stand for."""
        self.source = _changed(self.source, {**self.source.tensors, "codes": codes})
        self.values = values

    def encoded(self) -> EncodedWeight:
        tensors = self.source.tensors
        stored = self.scales.stored(np.asarray(tensors["scales"]).dtype.type)
        return _changed(self.source, {**tensors, "scales": stored})


class ProductObserver(Protocol):
    """Is told of a product V x on the way back."""

    def __call__(self, x: Tensor, gradient: Tensor) -> None:
        """The inputs [rows, in] and the gradient of the loss by the outputs [rows, out]."""
        ...


class _Product(torch.autograd.Function):
    """V x for V in int8, which no float copy of V is remembered for."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, layer: TrellisLayer) -> Tensor:
        ctx.layer = layer
        ctx.save_for_backward(x if layer.observer is not None else x.new_empty(0))
        return x @ layer.values.float().T

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (gradient,) = gradients
        if ctx.layer.observer is not None:
            ctx.layer.observer(*ctx.saved_tensors, gradient)
        return gradient @ ctx.layer.values.float(), None


class AdditiveLayer(nn.Module):
    """y = s_row ⊙ (W x), W gathered from codebooks that move."""

    def __init__(self, encoded: EncodedWeight):
        super().__init__()
        self.source = encoded
        self.codes = torch.from_numpy(indices(encoded).astype(np.int32))  # [out, in / 8, K]
        codebooks = encoded.tensors["codebooks"]
        self.codebooks = TrainedVector(codebooks[:, :, 0], is_factor=False)  # [K, 2^n, 8]
        self.row_scales = TrainedVector(_float(encoded.tensors["scales"]).reshape(-1))

    def forward(self, x: Tensor) -> Tensor:
        codes, codebooks = self.codes, self.codebooks()
        weight = F.embedding(codes[..., 0], codebooks[0])
        for k in range(1, len(codebooks)):
            weight = weight + F.embedding(codes[..., k], codebooks[k])
        return F.linear(x, weight.flatten(1)) * self.row_scales()

    def encoded(self) -> EncodedWeight:
        tensors = dict(self.source.tensors)
        for key, trained in (("codebooks", self.codebooks), ("scales", self.row_scales)):
            stored = trained.stored(tensors[key].dtype.type)
            tensors[key] = stored.reshape(tensors[key].shape)
        return _changed(self.source, tensors)


class Int8Layer(nn.Module):
    """y = s_row ⊙ (W x), W as it was rounded."""

    def __init__(self, encoded: EncodedWeight):
        super().__init__()
        self.source = encoded
        self.codes = torch.from_numpy(np.array(encoded.tensors["codes"]))  # int8 [out, in]
        scales = np.broadcast_to(_float(encoded.tensors["scales"]), encoded.shape[:1])
        self.row_scales = TrainedVector(scales)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.codes.float()) * self.row_scales()

    def rows(self, index: Tensor) -> Tensor:
        """Rows [..., in] of the matrix, for a table that is looked up in."""
        return self.codes[index].float() * self.row_scales()[index][..., None]

    def encoded(self) -> EncodedWeight:
        scales = self.row_scales.stored(self.source.tensors["scales"].dtype.type)
        return _changed(self.source, dict(self.source.tensors) | {"scales": scales})


_LAYERS = {"trellis": TrellisLayer, "aq": AdditiveLayer, "int8": Int8Layer}


def _changed(source: EncodedWeight, tensors: Mapping[str, np.ndarray]) -> EncodedWeight:
    return EncodedWeight(
        codec=source.codec, shape=source.shape, tensors=tensors, settings=source.settings
    )


def _float(tensor: np.ndarray) -> np.ndarray:
    return np.asarray(tensor).astype(np.float32)
