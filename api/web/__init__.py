"""The pages: what the API says, shown to people, in their language, and honest about its age."""
