"""Callbacks: objects that hear about training, evaluation and prediction.

``base`` has the empty callback, ``callback_list`` what tells them; the others are grouped by what they do.
"""

from kshim.callbacks.averages import SwapEMAWeights
from kshim.callbacks.backup import BackupAndRestore
from kshim.callbacks.base import Callback
from kshim.callbacks.callback_list import CallbackList
from kshim.callbacks.checkpoint import ModelCheckpoint
from kshim.callbacks.logs import CSVLogger
from kshim.callbacks.misc import LambdaCallback, TerminateOnNaN
from kshim.callbacks.progress import History, ProgbarLogger
from kshim.callbacks.remote import OrbaxCheckpoint, RemoteMonitor
from kshim.callbacks.schedule import EarlyStopping, LearningRateScheduler, ReduceLROnPlateau
from kshim.callbacks.tensorboard import TensorBoard

__all__ = [
    "BackupAndRestore",
    "CSVLogger",
    "Callback",
    "CallbackList",
    "EarlyStopping",
    "History",
    "LambdaCallback",
    "LearningRateScheduler",
    "ModelCheckpoint",
    "OrbaxCheckpoint",
    "ProgbarLogger",
    "ReduceLROnPlateau",
    "RemoteMonitor",
    "SwapEMAWeights",
    "TensorBoard",
    "TerminateOnNaN",
]
