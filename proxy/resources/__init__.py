"""The tree: every node is an `IResource`; ours also answer an exchange without making a request object of it."""
