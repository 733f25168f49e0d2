"""What does an auditor get besides the export? A verifier that needs Python and nothing of ours."""
