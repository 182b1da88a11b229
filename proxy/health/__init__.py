"""What is thought of a server: machines that are told what happened and when, and answer what has changed and why.

Nothing here probes, waits or logs. A change is a `change.Change`; whoever gets one logs it, once.
"""
