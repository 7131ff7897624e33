"""Who we are at a registry: files and programs that keep credentials, challenges, tokens, logging in and out."""
