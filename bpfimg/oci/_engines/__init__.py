"""Images in container engines, through their API."""
