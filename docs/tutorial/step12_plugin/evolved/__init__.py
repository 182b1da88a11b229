"""The proxy of the tutorial, every piece in its room. Imports go down only:

tap         what twistd calls
service     what starts and stops
assemble    wishes become objects, on one page
resources   the tree: the root asks the router, leaves answer
channel | upstream        the doors: data arrived, connection accepted, connection dropped
exchange    one request and its response
flow | alarm              back-pressure; time passed
routing | config          pure decisions
wire        HTTP/1 without a socket
errors | limits           words
"""
