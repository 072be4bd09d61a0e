"""The report as one HTML page that needs nothing else: its parts, its style and its script."""
