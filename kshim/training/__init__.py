"""Floor 6: data, compiled losses and metrics, the step and the loop."""
