"""From what the user hands over to batches of tensors."""
