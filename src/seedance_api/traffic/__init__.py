"""Traffic: what is known of requests, and what is refused before it costs anything: the request log."""
