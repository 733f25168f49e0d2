"""What does a context hold about people, and what becomes of it when they want it all, or want it gone?"""
