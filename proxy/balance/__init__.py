"""Which server gets the next request. One algorithm a file, each over what `view.ServerView` lets it see.

Every algorithm chooses among servers of equal priority; `tiers.Tiers` puts backups, panic and retries on top. Nothing
here counts requests or watches health: whoever leases connections does that, and shows it through the view.
"""
