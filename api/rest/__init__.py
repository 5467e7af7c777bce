"""The resources of /api/v1, one file each, and the answers about the process itself."""
