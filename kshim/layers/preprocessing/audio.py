"""Spectrograms of sound: MelSpectrogram and STFTSpectrogram."""

import math
import warnings

import torch
import torch.nn.functional as F

from kshim.core import arrays, checks, dtypes, settings
from kshim.core.checks import describe, one_of, positive_int
from kshim.initializers import STFT, WINDOWS
from kshim.layers.base import Layer
from kshim.layers.input_spec import InputSpec
from kshim.layers.preprocessing.numeric import ArrayLayer

MEL_WINDOWS = {"hann": torch.hann_window, "hamming": torch.hamming_window}


def mel(hertz):
    """A frequency on the mel scale, as HTK has it: a tensor, or a number."""
    return 1127.0 * torch.log(1.0 + torch.as_tensor(hertz, dtype=torch.float64) / 700.0)


class MelSpectrogram(ArrayLayer):
    """How strong the frequencies of a sound are, in bands of the mel scale, over time.

    Args:
        fft_length: samples in a Fourier transform, an int above 0.
        sequence_stride: samples from one transform to the next.
        sequence_length: samples the window covers, at most ``fft_length``; None for that.
        window: "hann", "hamming", None for none, or an array of ``sequence_length`` values.
        sampling_rate: samples in a second.
        num_mel_bins: number of bands.
        min_freq: where the bands begin, in hertz.
        max_freq: where they end; None for half the sampling rate.
        power_to_db: whether to give decibels.
        top_db: decibels below the largest value of a call that smaller ones are raised to.
        mag_exp: power that magnitudes are raised to: 1 magnitude, 2 power.
        min_power: what smaller powers are raised to before the logarithm.
        ref_power: the power of 0 decibels.

    Shapes:
        ``(samples,)`` or ``(batch, samples)`` -> ``(..., num_mel_bins, 1 + samples // sequence_stride)``.

    Raises:
        ValueError: ``sequence_length`` is above ``fft_length``; ``window`` is none of these; the input has no such
            shape.

    Source: Keras 3 ``layers/preprocessing/mel_spectrogram.py``.
    """

    def __init__(self, fft_length=2048, sequence_stride=512, sequence_length=None, window="hann", sampling_rate=16000,
                 num_mel_bins=128, min_freq=20.0, max_freq=None, power_to_db=True, top_db=80.0, mag_exp=2.0,
                 min_power=1e-10, ref_power=1.0, **kwargs):  # fmt: skip
        super().__init__(**kwargs)
        sequence_length = sequence_length or fft_length
        max_freq = max_freq or int(sampling_rate / 2)
        self.keep(
            locals(), fft_length=positive_int, sequence_stride=positive_int, sequence_length=positive_int,
            num_mel_bins=positive_int,
        )  # fmt: skip
        if fft_length < sequence_length:
            checks.fail(
                self, "`sequence_length` of at most `fft_length`",
                f"sequence_length={sequence_length}, fft_length={fft_length}",
            )  # fmt: skip
        self.input_spec = InputSpec(min_ndim=1, max_ndim=2)

    def build(self, input_shape):
        if isinstance(self.window, str):
            one_of(*MEL_WINDOWS)(self, "window", self.window)
            window = MEL_WINDOWS[self.window](self.sequence_length, dtype=torch.float64, device="cpu")
        elif self.window is None:
            window = torch.ones(self.sequence_length, dtype=torch.float64, device="cpu")
        else:
            window = torch.tensor(arrays.to_numpy(self.window), dtype=torch.float64, device="cpu")
        if window.shape != (self.sequence_length,):
            checks.fail(
                self, f"a `window` of {self.sequence_length} values", f"a window of shape {tuple(window.shape)}"
            )
        dtype = self._dtype()
        self.__dict__["_window"], self.__dict__["_bands"] = window.to(dtype), self._mel_bands().to(dtype)

    def _dtype(self):
        """What the transform is computed in: torch has none of half precision everywhere."""
        return torch.float64 if self.compute_dtype == "float64" else torch.float32

    def _mel_bands(self):
        """How much each frequency counts in each band: triangles in mel whose feet are their neighbours' peaks."""
        bins = self.fft_length // 2 + 1
        options = {"dtype": torch.float64, "device": "cpu"}
        frequencies = mel(torch.linspace(0, self.sampling_rate / 2, bins, **options)).unsqueeze(1)
        low, high = mel(self.min_freq), mel(self.max_freq)
        edges = torch.linspace(low.item(), high.item(), self.num_mel_bins + 2, **options)
        left, peak, right = edges[:-2], edges[1:-1], edges[2:]
        bands = torch.minimum((frequencies - left) / (peak - left), (right - frequencies) / (right - peak)).clamp(min=0)
        bands[0] = 0  # the mean of a sound is no frequency of it
        return bands

    def call(self, inputs):
        sound = inputs.to(self._dtype())
        if sound.dim() == 2 and not sound.shape[0]:  # torch.stft takes no empty batch
            frames = 1 + sound.shape[1] // self.sequence_stride
            return inputs.new_zeros((0, self.num_mel_bins, frames), dtype=dtypes.TORCH[self.compute_dtype])
        # torch.stft reflects at both ends, and at least half a transform's samples must be there to reflect.
        found = torch.stft(
            sound, self.fft_length, self.sequence_stride, self.sequence_length, self.beside("_window", sound),
            center=True, return_complex=True,
        ).abs()  # fmt: skip
        if self.mag_exp != 1:
            found = found.square() if self.mag_exp == 2 else found.pow(self.mag_exp)
        found = self.beside("_bands", sound).t() @ found
        if self.power_to_db:
            reference = 10 * math.log10(max(abs(self.ref_power), self.min_power))
            found = 10 * found.clamp(min=self.min_power).log10() - reference
            found = found.maximum(found.max() - self.top_db)
        return found.to(dtypes.TORCH[self.compute_dtype])


class STFTSpectrogram(Layer):
    """The short-time Fourier transform of a sound, as a convolution whose kernels train.

    Args:
        mode: "log", "magnitude", "psd" (power), "real", "imag", "angle" (radians), or "stft" (real parts, then
            imaginary ones).
        frame_length: samples in a frame, an int above 0.
        frame_step: samples from one frame to the next, in [1, frame_length]; None for half a frame.
        fft_length: samples in a transform, at least ``frame_length``; None for the next power of two.
        window: one of ``initializers.WINDOWS``, an array of ``frame_length`` values, or None for none.
        periodic: whether a named window is periodic rather than symmetric.
        scaling: "density", "spectrum", or None.
        padding: "valid" or "same".
        expand_dims: whether frequencies and channels are two axes.
        data_format: "channels_last" or "channels_first"; None means ``image_data_format()``.

    Shapes:
        ``(batch, samples, channels)`` -> ``(batch, frames, channels * frequencies)``, or with ``expand_dims``
        ``(batch, frames, frequencies, channels)``; channels_first: ``(batch, channels, samples)`` ->
        ``(batch, channels * frequencies, frames)``, or ``(batch, channels, frames, frequencies)``.
        There are ``fft_length // 2 + 1`` frequencies, twice as many for "stft"; kernels
        ``(frame_length, 1, fft_length // 2 + 1)``.

    Raises:
        ValueError: an argument is none of these, or the input has not three axes.
        TypeError: the input is no float.

    Source: Keras 3 ``layers/preprocessing/stft_spectrogram.py``.
    """

    def __init__(self, mode="log", frame_length=256, frame_step=None, fft_length=None, window="hann", periodic=False,
                 scaling="density", padding="valid", expand_dims=False, data_format=None, **kwargs):  # fmt: skip
        super().__init__(**kwargs)
        self.keep(
            locals(), mode=one_of("log", "magnitude", "psd", "real", "imag", "angle", "stft"),
            frame_length=positive_int, scaling=one_of("density", "spectrum", None), padding=one_of("valid", "same"),
            data_format=checks.data_format,
        )  # fmt: skip
        if frame_step is not None and not 1 <= frame_step <= frame_length:
            checks.fail(self, f"`frame_step` in [1, {frame_length}], the frame's length", f"frame_step={frame_step}")
        if fft_length is not None and fft_length < frame_length:
            checks.fail(self, f"`fft_length` of at least {frame_length}, as a frame has", f"fft_length={fft_length}")
        if fft_length is not None and fft_length & -fft_length != fft_length:
            warnings.warn(
                f"{describe(self)}: `fft_length` should rather be a power of two. Received: fft_length={fft_length}.",
                stacklevel=3,
            )
        if isinstance(window, str):
            one_of(*WINDOWS)(self, "window", window)
        self._step = frame_step or frame_length // 2
        self._length = fft_length or 2 ** math.ceil(math.log2(frame_length))
        self.input_spec = InputSpec(ndim=3)

    def build(self, input_shape):
        shape = (self.frame_length, 1, self._length // 2 + 1)
        for part, other in (("real", "imag"), ("imag", "real")):
            if self.mode != other:
                initializer = STFT(side=part, window=self.window, scaling=self.scaling, periodic=self.periodic)
                setattr(self, f"{part}_kernel", self.add_weight(shape, initializer, name=f"{part}_kernel"))

    def call(self, inputs):
        if not inputs.is_floating_point():
            raise TypeError(f"{describe(self)}: expected an input of floats. Received: an input of {inputs.dtype}.")
        last = self.data_format == "channels_last"
        channels = inputs.shape[-1 if last else 1]
        sound = (inputs.transpose(1, 2) if last else inputs).reshape(-1, 1, inputs.shape[1 if last else 2])
        if self.padding == "same":
            sound = F.pad(sound, self._same(sound.shape[-1]))
        found = self._spectrum(sound)  # (batch * channels, frequencies, frames)
        found = found.reshape(-1 if channels else 0, channels, *found.shape[1:])
        if self.expand_dims:
            return found.permute(0, 3, 2, 1) if last else found.transpose(2, 3)
        found = found.flatten(1, 2)
        return found.transpose(1, 2) if last else found

    def _same(self, samples):
        total = max((-(-samples // self._step) - 1) * self._step + self.frame_length - samples, 0)
        return total // 2, total - total // 2

    def _spectrum(self, sound):
        def part(kernel):
            return F.conv1d(sound, kernel.permute(2, 1, 0).to(sound.dtype), stride=self._step)

        if self.mode in ("real", "imag"):
            return part(self.real_kernel if self.mode == "real" else self.imag_kernel)
        both = part(torch.cat([self.real_kernel, self.imag_kernel], -1))
        if self.mode == "stft":
            return both
        real, imaginary = both.chunk(2, 1)
        if self.mode == "angle":
            return torch.atan2(imaginary, real)
        power = real.square() + imaginary.square()
        if self.mode == "psd":  # what lies between the first and the last frequency is there twice, negative ones too
            return power + F.pad(power[:, 1:-1], (0, 0, 1, 1))
        magnitude = power.clamp(min=settings.epsilon()).sqrt()
        return magnitude if self.mode == "magnitude" else magnitude.clamp(min=settings.epsilon()).log()
