"""The main job on real data: bars become positions in three workspaces, and the result is proved."""
