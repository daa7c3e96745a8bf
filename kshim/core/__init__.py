"""Floor 0: settings, names, configuration, registry, checks. Knows torch, numpy and the standard library only."""
