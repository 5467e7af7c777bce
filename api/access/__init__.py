"""Who exists and who may: sites, devices, accounts, tokens, sessions."""
