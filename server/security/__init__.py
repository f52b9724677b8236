"""Who is who, and what each may do: identities, the rate limit, the Host and Origin checks."""
