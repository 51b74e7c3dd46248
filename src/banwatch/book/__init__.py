"""Who is banned until when, and why: pure, the single owner of bans."""
