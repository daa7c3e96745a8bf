"""MelSpectrogram and STFTSpectrogram."""

import numpy as np

from cases.layers.row import Case, Refused, layer

QUIET = "the logarithm of what is nearly silent tells rounding of halves"
INTS = {"test_integer_inputs": "ints are refused: the row stft_ints"}


def sound(*shape):
    """A tone that rises and falls: no window of it is silent, and none is like another."""

    def make():
        t = np.arange(np.prod(shape), dtype="float32").reshape(shape)
        return [(np.sin(t * t / 60) + 0.3 * np.cos(t / 3)).astype("float32")]

    return make


def mel(name, shape=(2, 64), **arguments):
    arguments = {"fft_length": 16, "sequence_stride": 8, "sampling_rate": 800, "num_mel_bins": 5, **arguments}
    decibels = arguments.get("power_to_db", True)
    return Case(
        f"mel_{name}", layer("MelSpectrogram", **arguments), [shape], inputs=sound(*shape),
        skip={"test_half_precision": QUIET} if decibels else {},
        rel=3e-4 if decibels else 1e-5,  # Keras' bands are made in float32, kshim's in float64
    )  # fmt: skip


def stft(name, shape=(2, 20, 3), weights=2, **arguments):
    arguments = {"frame_length": 6, "frame_step": 3, **arguments}
    skip = dict(INTS)
    if arguments.get("mode", "log") == "log":
        skip["test_half_precision"] = QUIET
    if arguments.get("mode") == "angle":
        skip["test_output_and_gradients_are_keras"] = "half turns both ways are one angle: test_stft_angles"
    if arguments.get("data_format") == "channels_first":
        skip["test_unknown_axes"] = "Keras 3 fails where the number of channels is not known"
    return Case(
        f"stft_{name}", layer("STFTSpectrogram", **arguments), [shape], weights, inputs=sound(*shape), skip=skip
    )


CASES = [
    mel("defaults"),
    mel("one_sound", (64,)),
    mel("magnitude", power_to_db=False, mag_exp=1.0),
    mel("power", power_to_db=False, mag_exp=2.0),
    mel("cubes", power_to_db=False, mag_exp=3.0),
    mel("short_window", sequence_length=10, window="hamming"),
    mel("no_window", window=None),
    mel("array_window", window=[1.0, 2.0, 3.0, 4.0, 4.0, 3.0, 2.0, 1.0], sequence_length=8),
    mel("decibels", top_db=10.0, min_power=1e-3, ref_power=2.0),
    mel("frequencies", min_freq=50.0, max_freq=300.0, num_mel_bins=3),
    *(stft(mode, mode=mode, weights=1 if mode in ("real", "imag") else 2)
      for mode in ("log", "magnitude", "psd", "real", "imag", "angle", "stft")),
    stft("same", padding="same", mode="magnitude"),
    stft("same_step", (2, 21, 1), padding="same", mode="real", weights=1, frame_step=5),
    stft("expand", expand_dims=True, mode="magnitude"),
    stft("channels_first", (2, 3, 20), data_format="channels_first", mode="magnitude"),
    stft("channels_first_expand", (2, 3, 20), data_format="channels_first", expand_dims=True, mode="psd"),
    stft("fft_length", fft_length=16, mode="stft"),
    stft("default_step", (2, 20, 1), frame_step=None, mode="psd"),
    stft("hamming", window="hamming", periodic=True, scaling="spectrum", mode="psd"),
    stft("array_window", window=[1.0, 2.0, 3.0, 3.0, 2.0, 1.0], scaling=None, mode="psd"),
    stft("no_window", window=None, mode="psd"),
    stft("frozen", trainable=False, mode="psd"),
]  # fmt: skip


def _mel(**arguments):
    return lambda k: k.layers.MelSpectrogram(name="m", **arguments)(np.ones((2, 64), "float32"))


def _stft(**arguments):
    return lambda k: k.layers.STFTSpectrogram(name="s", **arguments)


REFUSED = [
    Refused("mel_length", _mel(fft_length=16, sequence_length=20), ValueError, "'m': .*sequence_length=20"),
    Refused("mel_window", _mel(fft_length=16, window="kaiser"), ValueError, "'m': .*window='kaiser'"),
    Refused("mel_window_shape", _mel(fft_length=16, window=[1.0, 2.0]), ValueError, "'m': .*window of shape"),
    Refused("stft_mode", _stft(mode="power"), ValueError, "'s': .*mode='power'"),
    Refused("stft_step", _stft(frame_step=0), ValueError, "'s': .*frame_step=0"),
    Refused("stft_step_large", _stft(frame_length=8, frame_step=9), ValueError, "'s': .*frame_step=9"),
    Refused("stft_fft", _stft(frame_length=8, fft_length=4), ValueError, "'s': .*fft_length=4"),
    Refused("stft_scaling", _stft(scaling="power"), ValueError, "'s': .*scaling='power'"),
    Refused("stft_padding", _stft(padding="causal"), ValueError, "'s': .*padding='causal'"),
    Refused("stft_window", _stft(window="round"), ValueError, "'s': .*window='round'"),
    Refused("stft_format", _stft(data_format="last"), ValueError, "'s': .*data_format='last'"),
    Refused("stft_rank", lambda k: _stft()(k)(np.ones((2, 300), "float32")), ValueError, "'s': .*ndim"),
    Refused("stft_ints", lambda k: _stft()(k)(np.ones((2, 300, 1), "int64")), TypeError, "'s': .*int64"),
]
