"""When things happen: flows that read aloud."""
