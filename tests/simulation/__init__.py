"""The whole data path on a clock that stands still between events: the real rooms, scripted peers, one seed."""
