"""HTTP/1.1 by hand, since a fake must also be able to break it."""
