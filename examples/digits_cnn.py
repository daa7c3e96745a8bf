"""A convolutional network on scanned digits, written for Keras 1: ``python -m kshim run examples/digits_cnn.py``."""

import numpy as np
from keras.datasets import digits
from keras.layers import Activation, Convolution2D, Dense, Dropout, Flatten, MaxPooling2D
from keras.layers.normalization import BatchNormalization
from keras.models import Sequential
from keras.utils import np_utils

np.random.seed(1337)
(X_train, y_train), (X_test, y_test) = digits.load_data()
X_train = X_train.reshape(-1, 8, 8, 1).astype("float32") / 16
X_test = X_test.reshape(-1, 8, 8, 1).astype("float32") / 16

model = Sequential()
model.add(Convolution2D(16, 3, 3, border_mode="same", input_shape=(8, 8, 1), dim_ordering="tf"))
model.add(BatchNormalization())
model.add(Activation("relu"))
model.add(MaxPooling2D(pool_size=(2, 2)))
model.add(Convolution2D(32, 3, 3, border_mode="same", activation="relu"))
model.add(MaxPooling2D(pool_size=(2, 2)))
model.add(Dropout(0.25))
model.add(Flatten())
model.add(Dense(64, activation="relu"))
model.add(Dropout(0.5))
model.add(Dense(10, activation="softmax"))
model.compile(loss="categorical_crossentropy", optimizer="adam", metrics=["accuracy"])

model.fit(X_train, np_utils.to_categorical(y_train, 10), batch_size=64, nb_epoch=20, verbose=2,
          validation_data=(X_test, np_utils.to_categorical(y_test, 10)))  # fmt: skip
score = model.evaluate(X_test, np_utils.to_categorical(y_test, 10), verbose=0)
print("Test accuracy:", round(score[1], 3))
