"""Train a small multi-layer perceptron on 8x8 handwritten digits: a script as one wrote it for Keras 2.

    python -m kshim run examples/digits_mlp.py [--epochs N]

Only the data is kshim's own (Keras has no such set); all else is Keras 2, unchanged.
Reaches 97 % or so on the test pictures in 20 epochs, a few seconds on a CPU.
"""

import argparse

import numpy as np
from keras.layers import Dense, Dropout
from keras.models import Sequential
from keras.optimizers import RMSprop
from keras.utils import np_utils

from kshim.datasets import digits

parser = argparse.ArgumentParser(description="digits with a multi-layer perceptron")
parser.add_argument("--epochs", type=int, default=20, help="passes over the training data (default: 20)")
args = parser.parse_args()

np.random.seed(1337)  # for reproducibility
num_classes = 10

(x_train, y_train), (x_test, y_test) = digits.load_data()
x_train = x_train.reshape(len(x_train), 64).astype("float32") / 16
x_test = x_test.reshape(len(x_test), 64).astype("float32") / 16
y_train = np_utils.to_categorical(y_train, num_classes)
y_test = np_utils.to_categorical(y_test, num_classes)
print(len(x_train), "train samples,", len(x_test), "test samples")

model = Sequential()
model.add(Dense(128, activation="relu", input_shape=(64,)))
model.add(Dropout(0.2))
model.add(Dense(64, activation="relu"))
model.add(Dense(num_classes, activation="softmax"))
model.summary()

model.compile(loss="categorical_crossentropy", optimizer=RMSprop(), metrics=["accuracy"])
model.fit(x_train, y_train, batch_size=32, epochs=args.epochs, verbose=1, validation_data=(x_test, y_test))

loss, accuracy = model.evaluate(x_test, y_test, verbose=0)
print(f"Test loss: {loss:.4f}")
print(f"Test accuracy: {accuracy:.4f}")
