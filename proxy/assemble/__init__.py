"""A configuration becomes every object, by hand: constructors take collaborators, and nothing registers itself.

- `house.py`     the one page: what there is, in the order in which it is made
- `pools.py`     an upstream becomes a pool of servers, and what a reload lets it keep
- `gates.py`     the gates of a route
- `apps.py`      what `app:` names, imported
- `acme.py`      who looks after certificates that are ordered
"""

from proxy.assemble.house import House, assemble

__all__ = ["House", "assemble"]
