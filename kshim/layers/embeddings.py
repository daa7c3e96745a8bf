"""Embedding, ReversibleEmbedding."""

import torch
from torch.nn import functional as F

from kshim.core import checks, dtypes
from kshim.core.checks import positive_int
from kshim.layers.base import Layer


class Embedding(Layer):
    """A table of vectors: each index is replaced by its row.

    Args:
        input_dim: number of rows, an int above 0; indices are below it.
        output_dim: size of a row, an int above 0.
        embeddings_initializer, embeddings_regularizer, embeddings_constraint: name, config or callable for the table.
        mask_zero: whether index 0 is padding, which the output's mask leaves out.
        weights: the table's values, an array or a list of it; the layer is then built at once.

    Shapes:
        inputs ``(batch, ...)``, ints (floats are cut off to ints) -> ``(batch, ..., output_dim)``;
        embeddings ``(input_dim, output_dim)``.

    Raises:
        ValueError: ``input_dim`` or ``output_dim`` is not an int above 0, or ``weights`` have another shape.
        IndexError: an index is below 0 or not below ``input_dim``; on a GPU it is torch's own, later error.

    Source: Keras 3 ``layers/core/embedding.py``.
    """

    def __init__(self, input_dim, output_dim, embeddings_initializer="uniform", embeddings_regularizer=None,
                 embeddings_constraint=None, mask_zero=False, weights=None, **kwargs):  # fmt: skip
        super().__init__(**kwargs)
        arguments = {name: value for name, value in locals().items() if name != "weights"}
        self.keep(arguments, input_dim=positive_int, output_dim=positive_int)
        self.supports_masking = mask_zero
        self.autocast = False  # half precision has no room for a large index
        if weights is not None:
            self.build()
            self.set_weights(weights if isinstance(weights, list) and len(weights) == 1 else [weights])

    def build(self, input_shape=None):
        self.embeddings = self.weight("embeddings", (self.input_dim, self.output_dim))

    def call(self, inputs):
        if inputs.dtype not in (torch.int64, torch.int32):
            inputs = inputs.int()
        try:
            outputs = F.embedding(inputs, self.embeddings)
        except IndexError as error:
            raise IndexError(
                f"{checks.describe(self)}: expected indices in [0, {self.input_dim}). "
                f"Received: indices from {inputs.min()} to {inputs.max()}. Is `input_dim` the largest index + 1?"
            ) from error
        return outputs.to(dtypes.TORCH[self.compute_dtype])

    def compute_mask(self, inputs, mask=None):
        return torch.ne(inputs, 0) if self.mask_zero else None

    def _makes_masks(self):
        return self.mask_zero

    def get_config(self):
        return super().get_config() | {"activity_regularizer": self._config_value("activity_regularizer")}


class ReversibleEmbedding(Embedding):
    """An ``Embedding`` that also projects back, from ``output_dim`` to a number for each index.

    Called with ``reverse=True`` it gives ``inputs @ transpose(embeddings)``.

    Args:
        input_dim: number of rows, an int above 0; indices are below it.
        output_dim: size of a row, an int above 0.
        tie_weights: whether the way back uses the same table; otherwise it has a weight ``reverse_embeddings``.
        embeddings_initializer, embeddings_regularizer, embeddings_constraint: name, config or callable for the table.
        mask_zero: whether index 0 is padding, which the output's mask leaves out.
        reverse_dtype: dtype name of the way back; None means the layer's compute dtype.
        logit_soft_cap: what comes back is kept within ``+-logit_soft_cap`` by a tanh; None for no limit.

    Shapes:
        inputs ``(batch, ...)`` -> ``(batch, ..., output_dim)``, in reverse ``(batch, ..., output_dim)`` ->
        ``(batch, ..., input_dim)``; embeddings ``(input_dim, output_dim)``,
        reverse_embeddings ``(output_dim, input_dim)``.

    Raises: as ``Embedding``.

    Source: Keras 3 ``layers/core/reversible_embedding.py``; Press and Wolf, 2016.
    """

    def __init__(self, input_dim, output_dim, tie_weights=True, embeddings_initializer="uniform",
                 embeddings_regularizer=None, embeddings_constraint=None, mask_zero=False, reverse_dtype=None,
                 logit_soft_cap=None, **kwargs):  # fmt: skip
        self.keep({"tie_weights": tie_weights, "reverse_dtype": reverse_dtype, "logit_soft_cap": logit_soft_cap})
        super().__init__(
            input_dim=input_dim, output_dim=output_dim, embeddings_initializer=embeddings_initializer,
            embeddings_regularizer=embeddings_regularizer, embeddings_constraint=embeddings_constraint,
            mask_zero=mask_zero, **kwargs,
        )  # fmt: skip

    def build(self, input_shape=None):
        super().build(input_shape)
        if not self.tie_weights:
            self.reverse_embeddings = self.add_weight(
                (self.output_dim, self.input_dim), self.embeddings_initializer, name="reverse_embeddings"
            )

    def call(self, inputs, reverse=False):
        if not reverse:
            return super().call(inputs)
        kernel = self.embeddings.t() if self.tie_weights else self.reverse_embeddings
        if self.reverse_dtype is None:
            logits = torch.matmul(inputs, kernel)
        else:
            dtype = dtypes.TORCH[self.reverse_dtype]
            with torch.autocast(inputs.device.type, enabled=False):
                logits = torch.matmul(inputs.to(dtype), kernel.to(dtype))
        if self.logit_soft_cap is not None:
            logits = torch.tanh(logits / self.logit_soft_cap) * self.logit_soft_cap
        return logits

    def _attach_masks(self, inputs, outputs, masks):
        if len(outputs.shape) > len(inputs.shape):  # the way back keeps the rank, and has no mask
            super()._attach_masks(inputs, outputs, masks)
