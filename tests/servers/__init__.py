"""Where do tests and benchmarks get a real broker and a real store?"""
