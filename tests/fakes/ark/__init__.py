"""A fake of ByteDance's Ark video API, for tests, demonstrations and benchmarks."""
