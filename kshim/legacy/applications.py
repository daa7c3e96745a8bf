def attach():
    pass
