"""From the broker into the stores: decode, dedupe, route, commit, acknowledge, receipt; then forward."""
