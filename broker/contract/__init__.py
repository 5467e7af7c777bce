"""What edge, api and dashboards share: pure, and it imports nothing of ours."""
