"""The doors to the upstreams: connections speak to servers, factories keep them, pools choose between them."""
