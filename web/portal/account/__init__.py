"""The pages of a customer's person: sign-in, home, sessions and authenticator, fresh links, mute."""
