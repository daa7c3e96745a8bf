"""Layer classes that only tf.keras had; ``names`` puts them into ``kshim.layers``.

``experimental.EinsumDense`` and ``experimental.RandomFourierFeatures`` are ``kshim.layers``' own.
Source: tf_keras 2.21, ``layers/`` and ``engine/base_preprocessing_layer.py``.
"""

import contextlib
import functools
import itertools

import numpy as np
import torch

from kshim import random
from kshim.core import arrays, checks, dtypes, tree
from kshim.graph import infer
from kshim.graph.keras_tensor import SIZES
from kshim.layers import BatchNormalization, Layer
from kshim.layers.preprocessing import numeric
from kshim.ops import image as ops

# ---------- images of another size


class _RandomSize(Layer):
    """Base: one axis of the images gets another size while training."""

    _axis: int

    def __init__(self, factor, interpolation="bilinear", seed=None, **kwargs):
        super().__init__(**kwargs)
        self.keep(locals(), factor=_factor, interpolation=_interpolation)
        self.generator = None if self.seed is None else random.SeedGenerator(self.seed)
        self.built = True

    def call(self, inputs, training=True):
        if inputs.dim() not in (3, 4):
            checks.fail(self, "images of rank 3, or 4 with the batch", f"shape {tuple(inputs.shape)}")
        images = inputs.to(dtypes.TORCH[self.compute_dtype])
        return self._resized(images, self._new_size(images)) if training else images

    def _new_size(self, images):
        old = images.shape[self._axis]
        if images.is_meta:
            # Nothing is drawn while shapes are inferred: a size that follows an unknown batch is unknown, too.
            batch = images.shape[0] if images.dim() == 4 else None
            return batch if infer.is_running() and batch in SIZES else old
        low, high = _bounds(self.factor)
        if self.generator is None:
            factor = torch.empty((), dtype=torch.float32, device="cpu").uniform_(1 + low, 1 + high)
        else:
            factor = random.uniform((), 1 + low, 1 + high, "float32", self.generator)
        return max(int(factor * old), 1)  # tf.keras stops the training where this is 0

    def _resized(self, images, size):
        shape = list(images.shape)
        scale, shape[self._axis] = size / shape[self._axis], size
        if self.interpolation in ("bilinear", "nearest"):
            return ops.resize(images, shape[-3:-1], interpolation=self.interpolation, data_format="channels_last")
        exact = images.to(torch.promote_types(images.dtype, torch.float32))
        # TensorFlow's cubic kernel is this one (a = -0.5), torch's own is another (a = -0.75).
        resized = ops.scale_and_translate(
            exact, shape, (scale,), (0.0,), (self._axis,), self.interpolation, antialias=False
        )
        return resized.to(images.dtype)

    def compute_output_shape(self, input_shape):
        shape = list(input_shape)
        shape[self._axis] = None
        return tuple(shape)


class RandomHeight(_RandomSize):
    """While training, images of another height, one for the whole batch; else the images as they are.

    Args:
        factor: bounds of the change as fractions of the height, ``(lower, upper)``, each at least -1; a number means
            ``(-factor, factor)``. The height is multiplied by a number between ``1 + lower`` and ``1 + upper`` and
            rounded down, to 1 at least.
        interpolation: ``bilinear``, ``nearest``, ``bicubic``, ``lanczos3`` or ``lanczos5``.
        seed: an int makes the layer's own row of heights; None draws from torch's generator.

    Shapes:
        ``(batch, height, width, channels)``, or one image without the batch -> ``(batch, None, width, channels)``, in
        the layer's dtype. The channels are last whatever ``image_data_format()`` says, as in tf.keras.

    Raises:
        ValueError: ``factor`` is no such pair, or the images have another rank.
        NotImplementedError: another ``interpolation``.

    Source: tf_keras 2.21 ``layers/preprocessing/image_preprocessing.py``.
    """

    _axis = -3


class RandomWidth(_RandomSize):
    """While training, images of another width, one for the whole batch; else the images as they are.

    Args:
        factor: bounds of the change as fractions of the width, ``(lower, upper)``, each at least -1; a number means
            ``(-factor, factor)``. The width is multiplied by a number between ``1 + lower`` and ``1 + upper`` and
            rounded down, to 1 at least.
        interpolation: ``bilinear``, ``nearest``, ``bicubic``, ``lanczos3`` or ``lanczos5``.
        seed: an int makes the layer's own row of widths; None draws from torch's generator.

    Shapes:
        ``(batch, height, width, channels)``, or one image without the batch -> ``(batch, height, None, channels)``, in
        the layer's dtype. The channels are last whatever ``image_data_format()`` says, as in tf.keras.

    Raises:
        ValueError: ``factor`` is no such pair, or the images have another rank.
        NotImplementedError: another ``interpolation``.

    Source: tf_keras 2.21 ``layers/preprocessing/image_preprocessing.py``.
    """

    _axis = -2


def _bounds(factor):
    return tuple(factor) if isinstance(factor, (list, tuple)) else (-factor, factor)


def _factor(owner, name, value):
    given = value if isinstance(value, (list, tuple)) else (value,)
    numbers = all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in given)
    pair = _bounds(value) if numbers and (given is not value or len(given) == 2) else ()
    if not pair or not -1 <= pair[0] <= pair[1]:
        checks.fail(owner, f"`{name}` to be two numbers in order, or one above 0; at least -1", f"{name}={value!r}")
    return value


def _interpolation(owner, name, value):
    known = ("bilinear", "nearest", "bicubic", "lanczos3", "lanczos5")
    if str(value).lower() not in known:
        raise NotImplementedError(
            f"{checks.describe(owner)}: expected `{name}` to be one of {known}. Received: {name}={value!r}."
            f"{checks.nearest(value, known)}"
        )
    return value.lower()


# ---------- normalization


class SyncBatchNormalization(BatchNormalization):
    """``BatchNormalization(synchronized=True)``: the batch is that of all processes of ``torch.distributed``.

    Args: those of ``BatchNormalization`` without ``renorm`` and ``synchronized``.

    Shapes: those of ``BatchNormalization``.

    Raises: what ``BatchNormalization`` raises.

    Source: tf_keras 2.21 ``layers/normalization/batch_normalization.py``.
    """

    def __init__(self, axis=-1, momentum=0.99, epsilon=1e-3, center=True, scale=True, beta_initializer="zeros",
                 gamma_initializer="ones", moving_mean_initializer="zeros", moving_variance_initializer="ones",
                 beta_regularizer=None, gamma_regularizer=None, beta_constraint=None, gamma_constraint=None,
                 **kwargs):  # fmt: skip
        super().__init__(
            axis=axis, momentum=momentum, epsilon=epsilon, center=center, scale=scale,
            beta_initializer=beta_initializer, gamma_initializer=gamma_initializer,
            moving_mean_initializer=moving_mean_initializer, moving_variance_initializer=moving_variance_initializer,
            beta_regularizer=beta_regularizer, gamma_regularizer=gamma_regularizer, beta_constraint=beta_constraint,
            gamma_constraint=gamma_constraint, synchronized=True, **kwargs,
        )  # fmt: skip

    def get_config(self):
        left_out = ("renorm", "renorm_clipping", "renorm_momentum", "synchronized")
        return {name: value for name, value in super().get_config().items() if name not in left_out}


# ---------- bases for users' classes


class AbstractRNNCell(Layer):
    """Base of users' cells for ``RNN``.

    A subclass writes ``call(inputs, states) -> (output, new states)`` and the properties ``state_size`` (an int, or a
    list of them) and ``output_size``.

    Args: those of ``Layer``.

    Shapes: inputs ``(batch, features)``, each state ``(batch, size)`` -> output ``(batch, output_size)`` and states.

    Raises: NotImplementedError where the subclass lacks one of the three.

    Source: tf_keras 2.21 ``layers/rnn/abstract_rnn_cell.py``.
    """

    def call(self, inputs, states):
        """The output of a step, and the new states."""
        raise NotImplementedError(_lacks(self, "`call(inputs, states)` method"))

    @property
    def state_size(self):
        """The size of the state, or a list of sizes."""
        raise NotImplementedError(_lacks(self, "`state_size` property"))

    @property
    def output_size(self):
        """The size of the output."""
        raise NotImplementedError(_lacks(self, "`output_size` property"))

    def get_initial_state(self, inputs=None, batch_size=None, dtype=None):
        """Zeros in the structure of ``state_size``.

        Args:
            inputs: a tensor whose batch size and dtype are taken.
            batch_size: an int, needed without ``inputs``.
            dtype: of the states; None means the layer's.

        Raises: ValueError: neither ``inputs`` nor ``batch_size`` is given.
        """
        device = self.device
        if inputs is not None:
            batch_size, dtype, device = inputs.shape[0], inputs.dtype, inputs.device
        if batch_size is None:
            checks.fail(self, "`inputs` or a `batch_size`", f"batch_size=None, dtype={dtype!r}")
        dtype = dtypes.to_torch(dtype or self.compute_dtype)
        return tree.map_structure(
            lambda size: torch.zeros(batch_size, size, dtype=dtype, device=device), self.state_size
        )


class PreprocessingLayer(Layer):
    """Base of users' layers whose state is learned from data by ``adapt``, before the training.

    A subclass makes its state in ``build``, and writes ``update_state(data)`` for a batch, ``reset_state()``, and where
    needed ``finalize_state()``.

    Args: those of ``Layer``.

    Shapes: the subclass's.

    Raises: NotImplementedError where the subclass lacks ``update_state`` or ``reset_state`` and it is called.

    Source: tf_keras 2.21 ``engine/base_preprocessing_layer.py``.
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self._is_adapted = False
        self.run_eagerly, self.steps_per_execution = None, 1

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        if "reset_state" in vars(cls):
            cls.reset_state = _forgetting(cls.reset_state)  # type: ignore[method-assign] # wrapped once, here

    @property
    def is_adapted(self):
        """Whether the state was learned, and not reset since."""
        return self._is_adapted

    def update_state(self, data):
        """Add a batch to the state: a tensor, or an array of texts."""
        raise NotImplementedError(_lacks(self, "`update_state(data)` method"))

    def reset_state(self):
        """Set the state to what it was before any data."""
        raise NotImplementedError(_lacks(self, "`reset_state()` method"))

    def finalize_state(self):
        """Called once after all batches: what follows from the whole state is computed here."""

    def compile(self, run_eagerly=None, steps_per_execution=None):
        """Say how ``adapt`` runs.

        Args:
            run_eagerly: kept; kshim runs every ``update_state`` as it is written.
            steps_per_execution: how many batches a call of ``make_adapt_function()``'s function takes; None means 1.
        """
        self.run_eagerly = run_eagerly
        self.steps_per_execution = checks.positive_int(self, "steps_per_execution", steps_per_execution or 1)

    def make_adapt_function(self):
        """A function of an iterator of batches: takes the next ones, builds the layer and updates its state."""

        def adapt_function(iterator):
            for _ in range(self.steps_per_execution):
                data = next(iterator)
                if not self.built:
                    shape = getattr(data, "shape", None)
                    self.build(None if shape is None else tuple(shape))
                    self.built = True
                self.update_state(data)

        return adapt_function

    def adapt(self, data, batch_size=None, steps=None):
        """Learn the state from ``data`` anew.

        Args:
            data: an array, a tensor or a list of numbers or texts; or an iterable of batches (of inputs, or of tuples
                of them and y, which is left out).
            batch_size: samples in a batch of an array; None means 32.
            steps: how many batches at most; None means all.

        Raises:
            TypeError: ``data`` is none of these.
            ValueError: a list of arrays, or a ``batch_size`` for what comes in batches.
        """
        if self.built:
            self.reset_state()
        take, batches = self.make_adapt_function(), iter(self._batches(data, batch_size, steps))
        with torch.no_grad(), contextlib.suppress(StopIteration):
            while True:
                take(batches)
        self.finalize_state()
        self._is_adapted = True

    def _batches(self, data, batch_size, steps):
        if isinstance(data, (list, tuple)):
            if any(hasattr(item, "shape") for item in data):
                checks.fail(self, "one array, or an iterable of batches", f"a {type(data).__name__} of arrays",
                            "Join them to one array.")  # fmt: skip
            array = np.asarray(data)
            data = array if array.dtype.kind in numeric.STRINGS else arrays.to_tensor(data)
        if not isinstance(data, (np.ndarray, torch.Tensor)):
            if batch_size is not None:
                checks.fail(self, "no `batch_size` for data that comes in batches", f"batch_size={batch_size}")
            return map(_as_batch, numeric.batches(data, steps))
        size = checks.positive_int(self, "batch_size", 32 if batch_size is None else batch_size)
        parts = (data[start : start + size] for start in range(0, len(data), size))
        return map(_as_batch, itertools.islice(parts, steps))


def _as_batch(data):
    if isinstance(data, dict):
        return tree.map_structure(_as_batch, data)
    return data if isinstance(data, np.ndarray) and data.dtype.kind in numeric.STRINGS else arrays.to_tensor(data)


def _forgetting(reset_state):
    @functools.wraps(reset_state)
    def reset(self, *args, **kwargs):
        self._is_adapted = False
        return reset_state(self, *args, **kwargs)

    return reset


def _lacks(layer, what):
    return f"{checks.describe(layer)}: expected a {what} of its own. Received: none."


# ---------- what kshim does not have


class _Refused(Layer):
    """Base of what needs a part of TensorFlow: making one is an error that says what to use."""

    _instead: str

    def __init__(self, *args, **kwargs):
        raise NotImplementedError(f"kshim has no {type(self).__name__}. Received: a call of it. {self._instead}")


class DenseFeatures(_Refused):
    """Refused: it reads ``tf.feature_column``, which is TensorFlow's.

    Raises: NotImplementedError.

    Source: tf_keras 2.21 ``feature_column/dense_features_v2.py``.
    """

    _instead = (
        "tf.feature_column is TensorFlow's. Use a preprocessing layer for each column (Normalization, Discretization, "
        "CategoryEncoding, HashedCrossing; StringLookup and Embedding) and Concatenate their outputs."
    )


class DynamicLookup(_Refused):
    """Refused: its vocabulary changes while the model trains, in a table of TensorFlow's.

    Raises: NotImplementedError.

    Source: tf_keras 2.21 ``layers/experimental/dynamic_lookup.py``.
    """

    _instead = "Use StringLookup or IntegerLookup, whose vocabulary is given or learned by adapt()."


class DynamicEmbedding(_Refused):
    """Refused: its vocabulary changes while the model trains, in a table of TensorFlow's.

    Raises: NotImplementedError.

    Source: tf_keras 2.21 ``layers/experimental/dynamic_embedding.py``.
    """

    _instead = "Use StringLookup or IntegerLookup (a vocabulary that is given, or adapt()) and then an Embedding."
